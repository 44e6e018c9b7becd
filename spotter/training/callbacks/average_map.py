"""The callback that turns validation, test and prediction epochs into exact scores and predictions."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from spotter.data.source import Excerpt
from spotter.evaluation.average_map import average_map
from spotter.evaluation.metrics import flatten
from spotter.inference.collect import HalfCollector
from spotter.inference.decode import decode
from spotter.inference.stitch import clip_weights
from spotter.io.scores import Header, Scores, forget_scores, save_header, save_scores
from spotter.training.datamodule import SpottingDataModule
from spotter.training.module import SpottingModule, Step
from spotter.types import Batch, Half, HalfPredictions, HalfRecord

log = logging.getLogger(__name__)


class AverageMap(pl.Callback):
    """Score whole halves after every validation and test epoch, the same to the bit for any number of ranks.

    Each rank stitches and suppresses the halves it owns; compact predictions are gathered, rank 0 scores them, and
    every rank logs the result. After an epoch ``form`` holds the scores (None without labels) and, on rank 0,
    ``predictions`` what was scored.

    start_epoch : no epoch before this one is validated, counted from 0, unless it is the last
    """

    def __init__(self, start_epoch: int = 0) -> None:
        self.start_epoch = start_epoch
        self.scores_folder: Path | None = None
        self.form: dict[str, Any] | None = None
        self.predictions: dict[Half, HalfPredictions] = {}
        self._every: int | None = None
        self._collector: HalfCollector | None = None
        self._span = (0.0, math.inf)
        self._mine: dict[int, HalfPredictions] = {}
        self._losses: list[tuple[float, int]] = []
        self._records: list[HalfRecord] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Decide whether this epoch is validated: every n-th from ``start_epoch`` on, and the last."""
        if self._every is None:
            self._every = trainer.check_val_every_n_epoch or 1
        epoch, last = trainer.current_epoch, trainer.max_epochs
        due = (epoch + 1) % self._every == 0 and epoch >= self.start_epoch
        trainer.check_val_every_n_epoch = 1 if due or epoch + 1 == last else epoch + 2  # Lightning asks epoch + 1

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Begin to collect."""
        self._begin(trainer, pl_module, "valid")

    def on_test_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Begin to collect."""
        self._begin(trainer, pl_module, None)

    def on_predict_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Begin to collect."""
        self._begin(trainer, pl_module, None)

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Take the outputs of a batch."""
        if not trainer.sanity_checking:
            self._take(pl_module, outputs, batch)

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Take the outputs of a batch."""
        self._take(pl_module, outputs, batch)

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Take the outputs of a batch."""
        self._take(pl_module, outputs, batch)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Score and log under ``val/``; silent in the sanity check."""
        if not trainer.sanity_checking:
            self._end(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Score and log under ``test/``."""
        self._end(trainer, pl_module, "test")

    def on_predict_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Score if there are labels."""
        self._end(trainer, pl_module, None)

    def _begin(self, trainer: pl.Trainer, module: SpottingModule, split: str | None) -> None:
        data: SpottingDataModule = trainer.datamodule  # type: ignore[attr-defined]
        split = split or data.split
        self._mine, self._losses, self._records = {}, [], data.records[split]
        if isinstance(data.source, Excerpt):
            self._span = (data.source.start, data.source.end)
        self._collector = HalfCollector(
            self._records,
            data.evaluation_clips(split),
            clip_weights(module.system.clips, module.network.upsample),
            module.network.upsample,
            module.system.rate,
            data.source.offset,
            module.system.clips.blended,
        )
        if self.scores_folder and trainer.is_global_zero:
            forget_scores(self.scores_folder)
            save_header(self.scores_folder, Header(module.system.task, split, module.system.postprocess))
        trainer.strategy.barrier()  # no rank writes scores before old ones are gone

    def _take(self, module: SpottingModule, outputs: Step | None, batch: Batch) -> None:
        if outputs is None or self._collector is None:
            return
        halves, starts = batch["half"].cpu().numpy(), batch["start"].cpu().numpy()
        if outputs["loss"] is not None:
            self._losses.append((outputs["loss"], len(halves)))
        logits, displacement = _array(outputs["logits"]), outputs.get("displacement")
        whole = self._collector.add(halves, starts, logits, None if displacement is None else _array(displacement))
        for index, scores in whole:
            self._keep(module, index, scores)

    def _keep(self, module: SpottingModule, index: int, scores: Scores) -> None:
        system = module.system
        self._mine[index] = decode(scores, system.postprocess, system.task.fps).between(*self._span)
        if self.scores_folder:
            save_scores(self.scores_folder, self._records[index].half, scores)

    def _end(self, trainer: pl.Trainer, module: SpottingModule, prefix: str | None) -> None:
        collector, self._collector = self._collector, None
        if collector is None:
            return
        for index, scores in collector.finish(gather):
            self._keep(module, index, scores)
        gathered = gather((self._mine, self._losses, collector.incomplete))
        if trainer.is_global_zero:
            found = {index: rows for mine, _, _ in gathered for index, rows in mine.items()}
            self.predictions = {self._records[index].half: found[index] for index in sorted(found)}
            incomplete = sum(len(halves) for _, _, halves in gathered)
            if incomplete:
                log.warning("%d halves were not run to their end and are not scored", incomplete)
            self.form = self._score(module)
        self.form = trainer.strategy.broadcast(self.form)
        if self.form is None or prefix is None:
            return
        for name, value in flatten(self.form).items():
            module.log(f"{prefix}/{name}", value, prog_bar=name in ("tight_map", "loose_map"), rank_zero_only=False)
        losses = [loss for _, run, _ in gathered for loss in run]
        if losses:
            mean = sum(loss * count for loss, count in losses) / sum(count for _, count in losses)
            module.log(f"{prefix}/loss", mean)

    def _score(self, module: SpottingModule) -> dict[str, Any] | None:
        labels = {record.half: record.spots for record in self._records if record.half in self.predictions}
        known = {half: spots for half, spots in labels.items() if spots is not None}
        if not known or len(known) < len(labels):
            return None
        return {
            **average_map(known, self.predictions, module.system.task),
            "postprocess": module.system.postprocess.to_dict(),
        }


def gather(value: Any) -> list[Any]:
    """Return the ``value`` of every rank, in rank order."""
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().to("cpu", torch.float32).numpy()
