"""Tables and lines for people: on a terminal, and readable in logs; only rank 0 speaks."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console

from spotter.training.callbacks.history import fresh_metrics

log = logging.getLogger(__name__)
COLUMNS = {
    "loss": "train/loss",
    "val": "val/loss",
    "tight": "val/tight_map",
    "loose": "val/loose_map",
    "at_1": "val/map_at_1",
}


@rank_zero_only
def show(renderable: Any) -> None:
    """Print a table on standard output, in colour only on a terminal."""
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120, highlight=False).print(renderable)


def progress_bars() -> list[pl.Callback]:
    """Return a progress bar where somebody watches, none in logs."""
    return [RichProgressBar(leave=False)] if sys.stderr.isatty() and sys.stdout.isatty() else []


class EpochLine(pl.Callback):
    """Say in one line what each epoch brought: loss, scores, the best so far, and how long it took."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self.best: float | None = None
        self._began = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the line."""
        metrics = fresh_metrics(trainer)
        words = [f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"]
        words += [f"{word} {metrics[key]:.4f}" for word, key in COLUMNS.items() if key in metrics]
        if self.monitor in metrics:
            value = metrics[self.monitor]
            self.best = value if self.best is None else max(value, self.best)
            words.append(f"best {self.best:.4f}")
        log.info("  ".join([*words, f"{time.monotonic() - self._began:.1f} s"]))

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run goes on with."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best score of the earlier part of the run."""
        self.best = state_dict["best"]
