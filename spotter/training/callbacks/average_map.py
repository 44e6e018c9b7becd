"""The callback that turns validation epochs into exact scores."""

from __future__ import annotations

import logging
from typing import Protocol, runtime_checkable

import pytorch_lightning as pl

from spotter.data.clips import batches
from spotter.evaluation.average_map import score_predictions
from spotter.evaluation.metrics import PRESENT, flatten
from spotter.evaluation.team_map import warn_of_missing_actions
from spotter.inference.background import Background
from spotter.inference.engine import HalfCollector
from spotter.inference.predict import Decoder, merge, say_broken_rows
from spotter.inference.ranks import broadcast, gather
from spotter.tasks import TEAM_MONITORS
from spotter.training.datamodule import data_of
from spotter.training.losses import MeanLoss
from spotter.training.module import EvaluationStep, systems_of
from spotter.types import OWN, Batch, Half, HalfPredictions, Metrics, batch_size

OFFICIAL = {f"val/{name}" for name in TEAM_MONITORS if not name.endswith(PRESENT)}

log = logging.getLogger(__name__)


@runtime_checkable
class Monitoring(Protocol):
    """Follow a score: checkpoints, early stopping, the line of an epoch, a dashboard."""

    monitor: str


class AverageMap(pl.Callback):
    """Score whole halves after every validation epoch, the same to the bit for any number of ranks.

    Each rank stitches and suppresses the halves that it owns; compact predictions are gathered on rank 0, which scores
    them, and every rank logs the result under ``val/``, that of another label set under ``val/<its name>/``. After an
    epoch ``metrics`` holds the scores of the run's own label set (None without labels) and, on rank 0, ``predictions``
    what was scored.
    """

    def __init__(self) -> None:
        self.metrics: Metrics | None = None
        self.predictions: dict[Half, HalfPredictions] = {}
        self._epochs: dict[str, _Epoch] = {}  # by label set
        self._said_broken = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let checkpoints be chosen by a number that exists: without labels of an action, Team-mAP has none."""
        task, data = systems_of(pl_module)[OWN].task, data_of(trainer)
        labels = {record.half: record.spots for record in data.records.get("valid", []) if record.spots is not None}
        if stage != "fit" or not warn_of_missing_actions(labels, task):
            return
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        for callback in callbacks:
            if isinstance(callback, Monitoring) and callback.monitor in OFFICIAL:
                callback.monitor += PRESENT

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to collect; the sanity check is not scored."""
        if not trainer.sanity_checking:
            self._epochs = {name: _Epoch(trainer, pl_module, name) for name in data_of(trainer).validated}

    def on_validation_batch_end(  # type: ignore[override]  # Lightning leaves open what a module returns
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: EvaluationStep | None,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take the outputs of a batch; there are none for a batch without clips."""
        if self._epochs and outputs is not None:
            self._epochs[data_of(trainer).validated[dataloader_idx]].add(batch, outputs)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score and log."""
        epochs, self._epochs = self._epochs, {}
        for name, epoch in epochs.items():
            predictions, metrics, means = self._score(trainer, epoch)
            if name == OWN:
                self.predictions, self.metrics = predictions, metrics
            if metrics is None:
                continue
            prefix = f"val/{name}/" if name else "val/"
            for key, value in flatten(metrics).items():
                shown = not name and key in ("tight_map", "loose_map")
                pl_module.log(f"{prefix}{key}", value, prog_bar=shown, rank_zero_only=False)
            for key, mean in means.items():
                if mean is not None:
                    pl_module.log(f"{prefix}{key}", mean)

    def _score(
        self, trainer: pl.Trainer, epoch: _Epoch
    ) -> tuple[dict[Half, HalfPredictions], Metrics | None, dict[str, float | None]]:
        """Return what was predicted, on rank 0, its metrics and its mean losses, on all."""
        gathered = gather(epoch.finish())
        means = {name: mean.compute() for name, mean in epoch.means.items()}
        predictions, metrics = merge([mine for mine, _ in gathered], epoch.records), None
        if not self._said_broken:
            self._said_broken = say_broken_rows(epoch.system, epoch.source, epoch.records)
        if trainer.is_global_zero:
            metrics = score_predictions(predictions, epoch.records, epoch.system.task, epoch.system.postprocess)
            incomplete = sum(count for _, count in gathered)
            if incomplete:
                log.warning("%d halves were not run to their end and are not scored", incomplete)
        return predictions, *broadcast((metrics, means))

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """End the thread of an epoch that does not end."""
        for epoch in self._epochs.values():
            epoch.close()


class _Epoch:
    """Collect the predictions and losses of one rank for a label set; decoding runs in a thread beside the device."""

    def __init__(self, trainer: pl.Trainer, module: pl.LightningModule, name: str) -> None:
        data = data_of(trainer).sets[name]
        self.records, self.source, self.system = data.records["valid"], data.source, systems_of(module)[name]
        clips, world = data.evaluation_clips("valid"), trainer.world_size
        parts = [batches(clips, data.eval_batch_size, rank, world) for rank in range(world)]
        rank, upsample = trainer.global_rank, self.system.network.upsample
        self._collector = HalfCollector(self.records, parts, rank, self.system.clips, upsample)
        self._decoding = Background(Decoder(self.system, self.source))
        self._predictions: dict[Half, HalfPredictions] = {}
        self.means = {name: MeanLoss() for name in ("loss", *self.system.head.measures)}

    def add(self, batch: Batch, evaluated: EvaluationStep) -> None:
        """Take a batch and its outputs."""
        found = {"loss": evaluated["loss"], **evaluated["measures"]}
        for name, value in found.items():
            if value is not None:
                self.means[name].add(value, batch_size(batch))
        for half in self._collector.add(batch, evaluated["outputs"]):
            self._predictions.update(self._decoding.submit(half))

    def finish(self) -> tuple[dict[Half, HalfPredictions], int]:
        """Return the predictions of this rank's halves, and how many of them lack clips."""
        for found in self._collector.finish():
            self._predictions.update(self._decoding.submit(found))
        self._predictions.update(self._decoding.finish())
        self.close()
        return self._predictions, self._collector.incomplete

    def close(self) -> None:
        """End the thread."""
        self._decoding.close()
