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
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from spotter.training.callbacks.history import validated

log = logging.getLogger(__name__)


@rank_zero_only
def show(renderable: Any) -> None:
    """Print a table on standard output, in colour only on a terminal."""
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120, highlight=False).print(renderable)


def progress_bars() -> list[pl.Callback]:
    """Return a progress bar where somebody watches, none in logs."""
    return [RichProgressBar(leave=False)] if sys.stderr.isatty() and sys.stdout.isatty() else []


class PredictionProgress(pl.Callback):
    """Show how many frames of the halves are predicted, how many a second, and how long the rest will take."""

    def __init__(self) -> None:
        columns = (BarColumn(), TextColumn("{task.fields[said]}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
        self._frames, self._began = 0, 0.0

    def on_predict_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to count."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self._frames = sum(record.frames for record in data.records[data.split])
        self._began = time.monotonic()
        if trainer.is_global_zero:
            self._bar.start()
            self._bar.add_task("", total=self._total(trainer), said="")

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Move the bar."""
        done = (batch_idx + 1) / self._total(trainer)
        rate = done * self._frames / (time.monotonic() - self._began)
        for task in self._bar.task_ids:
            said = f"{done * self._frames:,.0f} of {self._frames:,} frames, {rate:,.0f} frames/s"
            self._bar.update(task, completed=batch_idx + 1, said=said)

    def on_predict_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the bar away and say what was done."""
        self._bar.stop()
        seconds = time.monotonic() - self._began
        if trainer.is_global_zero:
            log.info("%s frames in %.1f s: %.0f frames/s", f"{self._frames:,}", seconds, self._frames / seconds)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Take the bar away."""
        self._bar.stop()

    @staticmethod
    def _total(trainer: pl.Trainer) -> int:
        return max(1, int(trainer.num_predict_batches[0]))


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
        metrics = trainer.callback_metrics
        said = {name: value for name, value in metrics.items() if name.startswith("train/") or validated(trainer)}
        words = [f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"]
        shown = {"loss": "train/loss", "val": "val/loss", "tight": "val/tight_map", "loose": "val/loose_map"}
        shown["at_1"] = "val/map_at_1"
        words += [f"{word} {float(said[key]):.4f}" for word, key in shown.items() if key in said]
        if self.monitor in said:
            value = float(said[self.monitor])
            self.best = value if self.best is None else max(value, self.best)
            words.append(f"best {self.best:.4f}")
        log.info("  ".join([*words, f"{time.monotonic() - self._began:.1f} s"]))

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run goes on with."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best score of the earlier part of the run."""
        self.best = state_dict["best"]
