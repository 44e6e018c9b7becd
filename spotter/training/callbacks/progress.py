"""Tables, bars and lines for people, on a terminal and in logs; only rank 0 writes them. Epochs count from 1."""

from __future__ import annotations

import logging
import sys
import time

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.utilities import rank_zero_only

from spotter.progress import Lines, clock, print_table
from spotter.training.callbacks.clock import CpuLimit
from spotter.training.callbacks.history import fresh_metrics
from spotter.training.callbacks.lookup import callback_of

log = logging.getLogger(__name__)
show = rank_zero_only(print_table)
COLUMNS = {
    "loss": "train/loss",
    "val": "val/loss",
    "tight": "val/tight_map",
    "loose": "val/loose_map",
    "at_1": "val/map_at_1",
}


def progress_callback() -> pl.Callback:
    """Return a progress bar on a terminal, else what writes a line every so often."""
    return EpochBar(leave=False) if sys.stderr.isatty() and sys.stdout.isatty() else ProgressLines()


class EpochBar(RichProgressBar):
    """Show Lightning's bar with epochs counted from 1."""

    def _get_train_description(self, current_epoch: int) -> str:
        text = f"Epoch {_of_all(current_epoch, self.trainer.max_epochs)}"
        return f"{text:{len(self.validation_description)}}"  # as wide as that of validation, else the bars flicker


class ProgressLines(pl.Callback):
    """Log every half a minute how far training and validation are, and how long the run will still take."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._begin, self._first = 0.0, 0  # of this process: time and epoch

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._begin, self._first = time.monotonic(), trainer.current_epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Wait for half a minute: a line about the epoch before has just been written."""
        self._lines = Lines()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Write a line if it is time."""
        if not trainer.is_global_zero or not self._lines.due():
            return
        count, limit = int(trainer.num_training_batches), callback_of(trainer, CpuLimit)
        done = trainer.current_epoch + (batch_idx + 1) / count - self._first  # epochs
        todo = max(0, (trainer.max_epochs or 1) - self._first - done)
        pace = 1 / limit.share - 1 if limit is not None else todo / done
        loss = float(trainer.callback_metrics["train/loss_step"])
        batches, left = f"batch {batch_idx + 1}/{count}", clock((time.monotonic() - self._begin) * pace)
        log.info(
            "epoch %s  %s  loss %.4f  %s left", _of_all(trainer.current_epoch, trainer.max_epochs), batches, loss, left
        )

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write a line if it is time."""
        if trainer.is_global_zero and self._lines.due():
            count = int(trainer.num_val_batches[dataloader_idx])
            log.info("epoch %d  validation, batch %d/%d", trainer.current_epoch + 1, batch_idx + 1, count)


class EpochLine(pl.Callback):
    """Log a line for each epoch: losses, scores in percent, the best so far, and how long it took."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self.best: float | None = None
        self._begin = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._begin = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the best score, before a checkpoint is written."""
        value = trainer.callback_metrics.get(self.monitor)
        if value is not None:
            self.best = float(value) if self.best is None else max(float(value), self.best)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the line, unless the epoch was trained before the run was resumed."""
        metrics = fresh_metrics(trainer)
        if not metrics:
            return
        words = [f"epoch {_of_all(trainer.current_epoch, trainer.max_epochs)}"]
        columns = COLUMNS | ({} if self.monitor in COLUMNS.values() else {_short(self.monitor): self.monitor})
        words += [f"{word} {_show(key, metrics[key])}" for word, key in columns.items() if key in metrics]
        if self.monitor in metrics and self.best is not None:
            words.append(f"best {_show(self.monitor, self.best)}")
        log.info("  ".join([*words, f"{time.monotonic() - self._begin:.1f} s"]))

    def state_dict(self) -> dict[str, float | None]:
        """Return what a resumed run goes on with."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float | None]) -> None:
        """Restore the best score of the earlier part of the run."""
        self.best = state_dict["best"]


def _of_all(epoch: int, epochs: int | None) -> str:
    """Return the number of an epoch and, where it is known, of all of them."""
    return f"{epoch + 1}/{epochs}" if epochs is not None and epochs > 0 else f"{epoch + 1}"


def _short(monitor: str) -> str:
    """Return a score's name as it may be typed, ``within_0`` for ``val/map_within_0``."""
    return monitor.removeprefix("val/").removeprefix("map_").removesuffix("_map")


def _show(key: str, value: float) -> str:
    """Return a loss as it is, and a score in percent."""
    return f"{value:.4f}" if key.endswith("loss") else f"{100 * value:.2f}"
