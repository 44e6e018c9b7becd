"""The time that training takes, and its limit: equal CPU seconds make systems of all sizes comparable."""

from __future__ import annotations

import time

import pytorch_lightning as pl

from spotter.checks import check_above_zero
from spotter.errors import UsageError


class TrainingClock(pl.Callback):
    """Count the CPU and wall seconds of each epoch's training, without validation and without workers of loaders.

    epochs : CPU and wall seconds of the epochs that this process has trained
    """

    def __init__(self) -> None:
        self.epochs: list[tuple[float, float]] = []
        self._began: tuple[float, float] | None = None
        self._before = 0.0  # CPU seconds of earlier parts of a resumed run

    @property
    def cpu_seconds(self) -> float:
        """Return the CPU seconds so far, those before the run was resumed included."""
        running = time.process_time() - self._began[0] if self._began is not None else 0.0
        return self._before + sum(cpu for cpu, _ in self.epochs) + running

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to count."""
        self._began = (time.process_time(), time.perf_counter())

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop counting: validation comes last in its epoch."""
        self._stop()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop counting, in an epoch without validation."""
        self._stop()

    def state_dict(self) -> dict[str, float]:
        """Return what a resumed run goes on with."""
        return {"cpu_seconds": self.cpu_seconds}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Take up the seconds of the earlier part of the run."""
        self._before = state_dict["cpu_seconds"]

    def _stop(self) -> None:
        if self._began is not None:
            cpu, wall = self._began
            self.epochs.append((time.process_time() - cpu, time.perf_counter() - wall))
            self._began = None


class CpuLimit(TrainingClock):
    """End training after so many CPU seconds of it, in the middle of an epoch; the weights are then validated.

    Only for one process, since nothing else is counted.
    """

    def __init__(self, seconds: float) -> None:
        check_above_zero("trainer.max_cpu_seconds", seconds)
        super().__init__()
        self.seconds = seconds

    @property
    def share(self) -> float:
        """Return the fraction of the seconds that is used."""
        return min(1.0, self.cpu_seconds / self.seconds)

    def expected_steps(self, step: int) -> float:
        """Return how many steps the whole training will have, as the first ``step`` of them let expect."""
        return (step + 1) / max(self.share, 1e-3)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse to count what other processes do; train no more where a resumed run has used its seconds."""
        if trainer.world_size > 1:
            raise UsageError("trainer.max_cpu_seconds: counts one process; take trainer.devices=1")
        trainer.should_stop = trainer.should_stop or self.share >= 1  # early stopping may have said so before

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Ask for the end when the seconds are used."""
        trainer.should_stop = trainer.should_stop or self.share >= 1
