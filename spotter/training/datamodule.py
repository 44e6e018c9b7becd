"""The data of a run: splits, clips and loaders, the same for every task and every kind of input."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from spotter.data.balanced import BalancedClips
from spotter.data.clips import EvaluationBatches, TrainingBatches, batches, evaluation_clips
from spotter.data.datasets import ClipDataset
from spotter.data.games import MOST_BEYOND_END, drop_spots_beyond_end, find_halves
from spotter.data.source import Source
from spotter.data.statistics import class_counts, dataset_statistics, statistics_table
from spotter.errors import UserError
from spotter.inference.engine import to_device
from spotter.io.splits import hold_out, load_splits
from spotter.settings import ClipConfig
from spotter.simulation.registry import simulate_kind
from spotter.tasks import Task
from spotter.training.callbacks.progress import show
from spotter.types import Batch, Clip, Half, HalfRecord, TargetMaker

log = logging.getLogger(__name__)


class SpottingDataModule(pl.LightningDataModule):
    """Serve clips of labelled halves for training, and whole halves in exact batches for everything else.

    task : name, YAML file or mapping of the task
    source : reads the input; its ``root`` is the official tree that holds the labels too
    clips : the plan of the model: clip length, stride, margin, sampling
    splits : replaces the games of single splits, see ``load_splits``
    fold : cross-validation instead, see ``hold_out``
    batch_size, eval_batch_size : clips per rank and step
    allow_missing : go on with what is on disk, with a counted warning
    max_beyond_end : fraction of the training spots that may lie beyond the end of their input
    """

    allow_zero_length_dataloader_with_multiple_devices = True

    def __init__(
        self,
        task: str | Mapping[str, Any],
        source: Source,
        clips: Mapping[str, Any],
        root: str | None = None,
        splits: Mapping[str, Any] | None = None,
        fold: str | None = None,
        batch_size: int = 64,
        eval_batch_size: int | None = None,
        num_workers: int = 0,
        allow_missing: bool = False,
        max_beyond_end: float = MOST_BEYOND_END,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for key, value, least in (("batch_size", batch_size, 1), ("num_workers", num_workers, 0), ("seed", seed, 0)):
            if not isinstance(value, int) or value < least:
                raise UserError(f"data.{key}: expected a whole number of at least {least}, found {value!r}")
        self.task = Task.load(task)
        self.source, self.root, self.splits, self.fold = source, root, splits, fold
        self.targets: TargetMaker | None = None  # of the model's head; None to predict only
        self.plan = ClipConfig(**clips)
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.num_workers, self.allow_missing, self.seed = num_workers, allow_missing, seed
        self.max_beyond_end = max_beyond_end
        self.records: dict[str, list[HalfRecord]] = {}
        self.split = "test"  # what test and prediction epochs run on

    def setup(self, stage: str) -> None:
        """Find the halves of all splits that a training run needs, once, and print their statistics."""
        if stage != "fit" or self.records:
            return
        splits = self._splits()
        unseen = {split: self._unseen(split, splits) for split in ("valid", "test")}
        self.records["train"] = drop_spots_beyond_end(
            self._find("train", splits["train"]), self.source, self.max_beyond_end
        )
        self._training_batches()  # a mistake in its settings shows now, before anything has begun
        self.records["valid"] = self._find("valid", unseen["valid"]) if unseen["valid"] else []
        if any(self.root and (Path(self.root) / game).is_dir() for game in unseen["test"]):
            self.records["test"] = self._find("test", unseen["test"], labels="optional")
        show(statistics_table(dataset_statistics(self.records, self.task, self.source.fps)))

    def use_split(self, split: str) -> None:
        """Choose what test and prediction epochs run on; its labels may be missing altogether."""
        self.split = split
        if split not in self.records:
            self.records[split] = self._find(split, self._splits()[split], labels="optional")

    def use_own(self, halves: list[Half]) -> None:
        """Choose halves without labels, whose files the source knows, for prediction epochs."""
        self.split = "own"
        self.records["own"] = [HalfRecord(half, self.source.length(half), None) for half in halves]

    def class_prior(self) -> Tensor:
        """Return the fraction of positive anchors per class (K,) in the training split."""
        if self.targets is None:
            raise UserError("this data module has no targets; it serves prediction only")
        counts = class_counts(self.records["train"], len(self.task.classes))
        frames = sum(record.frames for record in self.records["train"])
        return torch.from_numpy(self.targets.class_prior(counts, frames, self.source.fps)).float()

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return a loader over one epoch's random clips."""
        return self._loader("train", self.plan.clip_len, self._training_batches())

    @property
    def batches_per_epoch(self) -> int:
        """Return the number of training batches that each rank sees in an epoch."""
        return len(self._training_batches())

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Return a loader over this rank's share of the validation split."""
        return self.evaluation_dataloader("valid") if self.records["valid"] else []

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return a loader over this rank's share of the chosen split."""
        return self.evaluation_dataloader(self.split)

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Return a loader over this rank's share of the chosen split."""
        return self.evaluation_dataloader(self.split)

    def evaluation_dataloader(self, split: str) -> DataLoader[Batch]:
        """Return a loader over this rank's run of the evaluation batches of a split."""
        run = batches(self.evaluation_clips(split), self.eval_batch_size, *self._ranks())
        return self._loader(split, self.plan.eval_len, EvaluationBatches(run))

    def evaluation_clips(self, split: str) -> list[Clip]:
        """Return the clips that cover all halves of a split, in order."""
        return evaluation_clips([record.frames for record in self.records[split]], self.plan)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Return the batch on a device, but for what only the host needs."""
        return to_device(batch, device)

    def _loader(self, split: str, clip_len: int, sampler: TrainingBatches | EvaluationBatches) -> DataLoader[Batch]:
        dataset = ClipDataset(self.records[split], self.source, clip_len, self.targets)
        return DataLoader(
            dataset,
            batch_size=None,  # the sampler yields whole batches
            sampler=sampler,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def _splits(self) -> dict[str, list[str]]:
        splits = load_splits(self.task, self.root, self.splits)
        return hold_out(splits, self.fold) if self.fold else splits

    def _unseen(self, split: str, splits: Mapping[str, list[str]]) -> list[str]:
        """Return the games of a split that are not trained on; scores on the others would mean nothing."""
        games = [game for game in splits[split] if game not in set(splits["train"])]
        if len(games) < len(splits[split]):
            log.info("%d games of split %s are trained on and not scored", len(splits[split]) - len(games), split)
        return games

    def _find(self, split: str, games: list[str], labels: str = "required") -> list[HalfRecord]:
        return find_halves(self.root, split, games, self.task, self.source, labels, self.allow_missing)

    def _training_batches(self) -> TrainingBatches:
        lengths = [record.frames for record in self.records["train"]]
        balanced = self._balanced if self.plan.partners or self.plan.sampling == "balanced" else None
        return TrainingBatches(lengths, self.plan, self.batch_size, self.seed, self._epoch, balanced, *self._ranks())

    @cached_property
    def _balanced(self) -> BalancedClips:
        source, plan = self.source, self.plan
        return BalancedClips(self.records["train"], plan.clip_len, source.fps, source.offset, plan.inset)

    def _epoch(self) -> int:
        # Not the set_epoch hook: in a resumed run the first batches are fetched before it, while current_epoch lags.
        return self.trainer.fit_loop.epoch_progress.current.processed if self.trainer else 0  # type: ignore[attr-defined]

    def _ranks(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


class DemoDataModule(SpottingDataModule):
    """Simulate a small official tree in ``root`` if it is not there yet, and serve it."""

    def __init__(self, demo: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.demo = demo

    def prepare_data(self) -> None:
        """Write the tree; one rank does it for all."""
        simulate_kind(self.root or "", self.demo)
