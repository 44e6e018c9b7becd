"""``cost.json``: what a run has cost, for comparisons of systems."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import orjson
import pytorch_lightning as pl

from spotter.io.files import atomic_write
from spotter.training.module import parameters_of


class RunCost(pl.Callback):
    """Write the number of trained parameters, and the CPU and wall seconds that an epoch of training takes.

    Medians over the epochs of this process, without validation and without workers of loaders. Kept apart from
    ``metrics.csv``, which is the same whenever and wherever a run is repeated.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._began: tuple[float, float] | None = None
        self._epochs: list[tuple[float, float]] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to count."""
        self._began = (time.process_time(), time.perf_counter())

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop counting: validation comes last in its epoch."""
        self._stop()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the medians so far."""
        self._stop()
        if trainer.is_global_zero:
            cpu, wall = (statistics.median(column) for column in zip(*self._epochs, strict=True))
            content: dict[str, float] = {"parameters": parameters_of(pl_module), "epochs": trainer.current_epoch + 1}
            content |= {"cpu_seconds_per_epoch": round(cpu, 3), "seconds_per_epoch": round(wall, 3)}
            atomic_write(self.path, orjson.dumps(content, option=orjson.OPT_INDENT_2))

    def _stop(self) -> None:
        if self._began is not None:
            cpu, wall = self._began
            self._epochs.append((time.process_time() - cpu, time.perf_counter() - wall))
            self._began = None
