"""The callback that turns validation epochs into exact scores."""

from __future__ import annotations

import logging

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from spotter.data.clips import batches
from spotter.evaluation.average_map import score_predictions
from spotter.evaluation.metrics import PRESENT, flatten
from spotter.evaluation.team_map import warn_of_missing_actions
from spotter.inference.background import Background
from spotter.inference.engine import HalfCollector
from spotter.inference.predict import Decoder, merge, say_broken_rows
from spotter.inference.ranks import broadcast, gather
from spotter.tasks import TEAM_MONITORS
from spotter.training.callbacks.progress import EpochLine
from spotter.training.datamodule import data_of
from spotter.training.losses import MeanLoss
from spotter.training.module import EvaluationStep, system_of
from spotter.types import Batch, Half, HalfPredictions, Metrics, batch_size

OFFICIAL = {f"val/{name}" for name in TEAM_MONITORS if not name.endswith(PRESENT)}

log = logging.getLogger(__name__)


class AverageMap(pl.Callback):
    """Score whole halves after every validation epoch, the same to the bit for any number of ranks.

    Each rank stitches and suppresses the halves that it owns; compact predictions are gathered on rank 0, which scores
    them, and every rank logs the result under ``val/``. After an epoch ``metrics`` holds the scores (None without
    labels) and, on rank 0, ``predictions`` what was scored.
    """

    def __init__(self) -> None:
        self.metrics: Metrics | None = None
        self.predictions: dict[Half, HalfPredictions] = {}
        self._epoch: _Epoch | None = None
        self._said_broken = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let checkpoints be chosen by a number that exists: without labels of an action, Team-mAP has none."""
        task, data = system_of(pl_module).task, data_of(trainer)
        labels = {record.half: record.spots for record in data.records.get("valid", []) if record.spots is not None}
        if stage != "fit" or not warn_of_missing_actions(labels, task):
            return
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        for callback in callbacks:
            if isinstance(callback, ModelCheckpoint | EarlyStopping | EpochLine) and callback.monitor in OFFICIAL:
                callback.monitor += PRESENT

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to collect; the sanity check is not scored."""
        if not trainer.sanity_checking:
            self._epoch = _Epoch(trainer, pl_module)

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
        if self._epoch is not None and outputs is not None:
            self._epoch.add(batch, outputs)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score and log."""
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return
        gathered = gather(epoch.finish())
        means = {name: mean.compute() for name, mean in epoch.means.items()}
        if not self._said_broken:
            self._said_broken = say_broken_rows(system_of(pl_module), data_of(trainer).source, epoch.records)
        if trainer.is_global_zero:
            system = system_of(pl_module)
            self.predictions = merge([predictions for predictions, _ in gathered], epoch.records)
            self.metrics = score_predictions(self.predictions, epoch.records, system.task, system.postprocess)
            incomplete = sum(count for _, count in gathered)
            if incomplete:
                log.warning("%d halves were not run to their end and are not scored", incomplete)
        self.metrics, means = broadcast((self.metrics, means))
        if self.metrics is None:
            return
        for name, value in flatten(self.metrics).items():
            pl_module.log(f"val/{name}", value, prog_bar=name in ("tight_map", "loose_map"), rank_zero_only=False)
        for name, mean in means.items():
            if mean is not None:
                pl_module.log(f"val/{name}", mean)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """End the thread of an epoch that does not end."""
        if self._epoch is not None:
            self._epoch.close()


def average_map_of(trainer: pl.Trainer) -> AverageMap:
    """Return the trainer's callback that scores."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next(each for each in callbacks if isinstance(each, AverageMap))


class _Epoch:
    """Collect the predictions and losses of one rank; decoding runs in a thread while the device works on."""

    def __init__(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        data = data_of(trainer)
        self.records = data.records["valid"]
        clips, world = data.evaluation_clips("valid"), trainer.world_size
        parts = [batches(clips, data.eval_batch_size, rank, world) for rank in range(world)]
        system, rank = system_of(module), trainer.global_rank
        self._collector = HalfCollector(self.records, parts, rank, system.clips, system.network.upsample)
        self._decoding = Background(Decoder(system, data.source))
        self._predictions: dict[Half, HalfPredictions] = {}
        self.means = {name: MeanLoss() for name in ("loss", *system.head.measures)}

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
