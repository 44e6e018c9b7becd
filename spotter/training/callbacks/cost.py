"""``cost.json``: what a run has cost, for comparisons of systems."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytorch_lightning as pl

from spotter.io.files import atomic_write, json_bytes
from spotter.training.callbacks.clock import TrainingClock
from spotter.training.module import parameters_of
from spotter.types import Batch, batch_size


class RunCost(TrainingClock):
    """Write the number of trained parameters, the clips that were trained on and the seconds that training takes.

    Seconds an epoch are medians over the epochs of this process; ``cpu_seconds`` and ``clips`` those of all training,
    on rank 0. Kept apart from ``metrics.csv``, which is the same whenever and wherever a run is repeated.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = Path(path)
        self._clips = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        """Count the clips, those of other label sets and of pseudo-labels as well."""
        self._clips += sum(map(batch_size, (batch, *batch.get("others", {}).values())))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the numbers so far, unless no epoch was trained since the run was resumed."""
        super().on_train_epoch_end(trainer, pl_module)
        if trainer.is_global_zero and self.epochs:
            cpu, wall = (statistics.median(column) for column in zip(*self.epochs, strict=True))
            content: dict[str, float] = {"parameters": parameters_of(pl_module), "epochs": trainer.current_epoch + 1}
            content |= {"cpu_seconds_per_epoch": round(cpu, 3), "seconds_per_epoch": round(wall, 3)}
            content |= {"cpu_seconds": round(self.cpu_seconds, 3), "clips": self._clips}
            atomic_write(self.path, json_bytes(content))

    def state_dict(self) -> dict[str, float]:
        """Return what a resumed run goes on with."""
        return {**super().state_dict(), "clips": self._clips}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Take up the numbers of the earlier part of the run."""
        super().load_state_dict(state_dict)
        self._clips = int(state_dict["clips"])
