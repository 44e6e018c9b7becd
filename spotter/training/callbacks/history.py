"""``metrics.csv``: one row an epoch, kept on resume, whatever the logger."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytorch_lightning as pl

from spotter.io.files import atomic_write


class History(pl.Callback):
    """Write all epoch-level metrics to a CSV file, one row per epoch; a resumed run continues the file.

    Rows of epochs that a resumed run repeats are dropped, so each epoch has one. The column ``epoch`` counts from 0, as
    Lightning and its loggers do and as in version 0.1; terminal and log count from 1.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._rows: list[dict[str, str]] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Read what an earlier part of the run has written."""
        if self.path.is_file() and trainer.ckpt_path:
            with self.path.open(encoding="utf-8", newline="") as file:
                self._rows = list(csv.DictReader(file))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the epoch's row; its scores stay empty without validation: those of an earlier epoch linger."""
        metrics = {name: repr(value) for name, value in fresh_metrics(trainer).items()}
        if not metrics:  # best.ckpt is written before its epoch ends, and a run that goes on from it ends that epoch
            return
        rows = [row for row in self._rows if int(row["epoch"]) < trainer.current_epoch]
        self._rows = [*rows, {"epoch": str(trainer.current_epoch), "step": str(trainer.global_step), **metrics}]
        if trainer.is_global_zero:
            self._write()

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="")
        writer.writeheader()
        writer.writerows(self._rows)
        atomic_write(self.path, text.getvalue().encode())


def fresh_metrics(trainer: pl.Trainer) -> dict[str, float]:
    """Return the metrics of the current epoch; the trainer keeps scores of earlier ones when this has none.

    They are empty in an epoch that was trained before the run was resumed.
    """
    return {
        name: float(value)
        for name, value in trainer.callback_metrics.items()
        if name.startswith("train/") or trainer.enable_validation
    }
