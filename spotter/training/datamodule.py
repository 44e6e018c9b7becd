"""The data of a training run: splits, clips and loaders, the same for every task and every kind of input."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from spotter.checks import check_choice, check_integer
from spotter.data.balanced import BalancedClips
from spotter.data.check import warn_of_broken
from spotter.data.clips import EvaluationBatches, TrainingBatches, batches, evaluation_clips
from spotter.data.datasets import ClipDataset
from spotter.data.games import MOST_BEYOND_END, drop_spots_beyond_end, find_halves, require_spots, warn_of_rates
from spotter.data.joint import JointBatches, JointDataset, part_of_epoch
from spotter.data.loaders import Batches, BatchLoader, batch_loader
from spotter.data.periods import PeriodSource
from spotter.data.remote import RemoteTree, fetch_games, fetch_root
from spotter.data.skips import Skips
from spotter.data.source import Source
from spotter.data.statistics import class_counts, dataset_statistics, statistics_table
from spotter.data.workers import choose_workers
from spotter.errors import UserError, plural
from spotter.inference.engine import to_device
from spotter.io.exchange.annotations import Exchange
from spotter.io.splits import LABELLED, SCORED, hold_out, load_splits
from spotter.settings import ClipConfig
from spotter.tasks import ANTICIPATION, Task
from spotter.training.callbacks.clock import CpuLimit
from spotter.training.callbacks.lookup import callback_of
from spotter.training.callbacks.progress import show
from spotter.training.out_of_fold import read_out_of_fold
from spotter.types import OWN, Batch, Clip, HalfRecord, Plain, TargetMaker

log = logging.getLogger(__name__)
ON_ERROR = ("raise", "skip")


class SpottingDataModule(pl.LightningDataModule):
    """Serve random clips of labelled halves for training, and whole halves in exact batches for validation.

    task : name, YAML file or mapping of the task
    source : reads the input
    clips : how the model's clips are cut and drawn, see ``ClipConfig``
    root : the official tree that holds the labels, and mostly the input, too
    splits : replaces the games of single splits, see ``load_splits``
    fold : cross-validation instead, see ``hold_out``
    batch_size : clips of a training batch, on all ranks together
    eval_batch_size : clips of an evaluation batch, on one rank
    num_workers : threads of each rank that read features, or processes that decode video; None: see ``choose_workers``
    allow_missing : continue with what is on disk, with a counted warning
    max_beyond_end : fraction of the training spots that may lie beyond the end of their input
    on_error : what a damaged file means: ``raise``, or ``skip`` for what is trained on to go on without it, counted
    check : read all feature files at the start, and say which rows are not finite
    seed : of the clips that are drawn, together with the epoch
    labels : a file of labels in any format, or a folder of such, in place of those in ``root``, with its own splits
    prefetch_factor : batches that each worker has ready
    remote : URL of a tree from which ``fetch`` gets what ``root`` lacks, see ``RemoteTree``
    predict_challenge : have the records of split challenge, too, which has no labels
    out_of_fold : predictions of the training games by models that have not seen them, see ``read_out_of_fold``: where
        they are wrong, balanced clips show background more often

    After ``setup`` its ``records`` hold the halves of ``train``, ``valid`` and, where it is on disk, ``test``.
    """

    allow_zero_length_dataloader_with_multiple_devices = True
    match_halves: Sequence[int] = ()  # where sequences are not halves

    def __init__(
        self,
        task: str | Plain,
        source: Source,
        clips: Plain,
        root: str | None = None,
        splits: Mapping[str, str | Sequence[str] | None] | None = None,
        fold: str | None = None,
        batch_size: int = 64,
        eval_batch_size: int | None = None,
        num_workers: int | None = 0,
        allow_missing: bool = False,
        max_beyond_end: float = MOST_BEYOND_END,
        on_error: str = "raise",
        check: bool = False,
        seed: int = 0,
        labels: str | None = None,
        prefetch_factor: int = 2,
        remote: str | None = None,
        predict_challenge: bool = False,
        out_of_fold: str | None = None,
    ) -> None:
        super().__init__()
        check_integer("data.batch_size", batch_size, 1)
        check_integer("data.prefetch_factor", prefetch_factor, 1)
        check_integer("data.seed", seed, 0)
        check_integer("data.num_workers", 0 if num_workers is None else num_workers, 0)
        check_choice("data.on_error", on_error, ON_ERROR)
        self.skips = Skips() if on_error == "skip" else None
        self.task = Task.load(task)
        if (self.task.metric == ANTICIPATION) != source.spec.anticipates:
            raise UserError(
                f"data.task: {self.task.name} does not go with this data: what comes after clips, as task baa-2026 "
                "asks, is trained on data=anticipation"
            )
        self.clips = ClipConfig.load(clips)
        self.source, self.root, self.splits, self.fold = source, root, splits, fold
        self.annotations = Exchange(labels) if labels else None
        if remote and root is None:
            raise UserError("data.remote: give data.root=FOLDER, too, where what is fetched is kept")
        self.remote = remote
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.num_workers, self.prefetch_factor, self.seed = num_workers, prefetch_factor, seed
        self.allow_missing, self.max_beyond_end, self.check = allow_missing, max_beyond_end, check
        self.targets: TargetMaker | None = None  # of the model's head
        self.records: dict[str, list[HalfRecord]] = {}
        self.predict_challenge = predict_challenge
        if out_of_fold and not self.clips.draws_balanced:
            raise UserError(
                "data.out_of_fold: balanced clips follow it; set model.clips.sampling=balanced, or leave it out"
            )
        self.out_of_fold = out_of_fold
        self.others: dict[str, SpottingDataModule] = {}  # of other label sets, see ``spotter.training.joint``
        self.weight = 1.0  # of their loss

    @property
    def sets(self) -> dict[str, SpottingDataModule]:
        """Return the data of every label set by its name, this one's own first."""
        return {OWN: self, **self.others}

    def setup(self, stage: str) -> None:
        """Find the halves of all splits that a training run needs, once, and print their statistics."""
        for other in self.others.values():
            other.trainer = self.trainer
            other.setup(stage)
        if stage != "fit" or self.records:
            return
        if self.annotations and (parts := self.annotations.parts(self.root or "", self.task)):
            self.source = PeriodSource(self.source, parts)
        splits = self._load_splits()
        unseen = {split: self._unseen(split, splits) for split in SCORED}
        train = self._find("train", splits["train"])
        self.records["train"] = drop_spots_beyond_end(train, self.source, self.max_beyond_end)
        require_spots(self.records["train"], self.root, self.task)
        self._training_batches()  # a mistake in its settings shows now, before anything has begun
        self.records["valid"] = self._find("valid", unseen["valid"]) if unseen["valid"] else []
        if self.records["valid"] and not any(record.spots for record in self.records["valid"]):
            log.warning(
                "split valid has no spot of task %s: its scores are 0, and choose no checkpoint", self.task.name
            )
        if any(self.annotations or (self.root and (Path(self.root) / game).is_dir()) for game in unseen["test"]):
            self.records["test"] = self._find("test", unseen["test"], labels="optional")
            if all(record.spots is None for record in self.records["test"]):
                log.info("split test has no labels here: it is predicted, not scored, until they are in data.root")
        if self.predict_challenge:
            self.records["challenge"] = self._find("challenge", splits["challenge"], labels="optional")
        if self.check:
            warn_of_broken(self.source, [record.half for records in self.records.values() for record in records])
        show(statistics_table(dataset_statistics(self.records, self.task, self.source.fps)))

    def fetch(self) -> None:
        """Get what the splits need, and ``root`` lacks, from ``remote``; a source that is built then knows all."""
        if not self.remote or self.root is None:
            return
        tree, root = RemoteTree(self.remote), Path(self.root)
        fetch_root(tree, root, self.source)
        games = [game for split, listed in self._load_splits().items() if split in LABELLED for game in listed]
        labels = [] if self.annotations else [self.task.label_file]
        fetch_games(tree, root, list(dict.fromkeys(games)), self.match_halves or self.task.halves, self.source, labels)

    def _load_splits(self) -> dict[str, list[str]]:
        listed = self.annotations.splits(self.root or "", self.task) if self.annotations else None
        splits = load_splits(self.task, self.root, self.splits, listed)
        return hold_out(splits, self.fold) if self.fold else splits

    def class_prior(self) -> Tensor:
        """Return the fraction of positive anchors per class (K,) in the training split."""
        if self.targets is None:
            raise ValueError("there are no targets yet: set those of the model's head")
        counts = class_counts(self.records["train"], len(self.task.classes))
        frames = sum(record.frames for record in self.records["train"])
        return torch.from_numpy(self.targets.class_prior(counts, frames, self.source.fps)).float()

    def train_dataloader(self) -> BatchLoader:
        """Return a loader over one epoch's random clips, of all label sets."""
        own = self._dataset("train", self.clips.clip_len)
        if not self.others:
            return self._loader(own, self._training_batches())
        others = {name: other._dataset("train", self.clips.clip_len) for name, other in self.others.items()}
        each = [data._training_batches() for data in self.sets.values()]
        return self._loader(JointDataset(own, others), JointBatches(each))

    def val_dataloader(self) -> BatchLoader | list[BatchLoader]:
        """Return a loader over this rank's part of split valid, of several label sets a list of them."""
        loaders = [self.sets[name]._validation_loader() for name in self.validated]
        return loaders[0] if len(loaders) == 1 else loaders

    @property
    def validated(self) -> list[str]:
        """Return the names of the label sets that have a validation split, in the order of their loaders."""
        return [name for name, data in self.sets.items() if data.records["valid"]]

    def _validation_loader(self) -> BatchLoader:
        mine = batches(self.evaluation_clips("valid"), self.eval_batch_size, *self._ranks())
        return self._loader(self._dataset("valid", self.clips.eval_len), EvaluationBatches(mine))

    def evaluation_clips(self, split: str) -> list[Clip]:
        """Return the clips that cover all halves of a split, in order."""
        return evaluation_clips([record.frames for record in self.records[split]], self.clips)

    @property
    def batches_per_epoch(self) -> int:
        """Return the number of training batches of an epoch, of which each rank sees its part."""
        return len(self._training_batches())

    @property
    def workers(self) -> int:
        """Return how many threads or processes of this rank read the input."""
        if self.num_workers is not None:
            return self.num_workers
        if self.trainer is None or callback_of(self.trainer, CpuLimit) is not None:  # which counts no other process
            return 0
        return choose_workers(self.source.spec.kind, self.trainer.strategy.root_device.type, self.trainer.num_devices)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Return the batch on a device, except for what only the host needs."""
        return to_device(batch, device)

    def _dataset(self, split: str, clip_len: int) -> ClipDataset:
        skips = self.skips if split == "train" else None
        return ClipDataset(self.records[split], self.source, clip_len, self.targets, skips)

    def _loader(self, dataset: ClipDataset | JointDataset, sampler: Batches) -> BatchLoader:
        pin = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return batch_loader(dataset, sampler, self.workers, pin, self.prefetch_factor)

    def _training_batches(self) -> TrainingBatches:
        lengths = [record.frames for record in self.records["train"]]
        balanced = self._balanced if self.clips.draws_balanced else None
        own = self.batch_size - sum(other.batch_size for other in self.others.values())
        clips = part_of_epoch(self.clips, own, self.batch_size)
        return TrainingBatches(lengths, clips, own, self.seed, self._epoch, balanced, *self._ranks())

    @cached_property
    def _balanced(self) -> BalancedClips:
        source, clips, records = self.source, self.clips, self.records["train"]
        halves, folder = [record.half for record in records], self.out_of_fold
        offsets = [source.offset(half) for half in halves]
        predicted = read_out_of_fold(folder, halves, self.task) if folder else None
        return BalancedClips(records, clips.clip_len, source.fps, offsets, clips.spot_margin, predicted)

    def _find(self, split: str, games: list[str], labels: str = "required") -> list[HalfRecord]:
        records = find_halves(
            *(self.root, split, games, self.task, self.source, labels, self.allow_missing),
            skip_damaged=self.skips is not None,
            annotations=self.annotations,
        )
        if self.annotations is not None:
            warn_of_rates(self.annotations, self.root, self.task, self.source, [record.half for record in records])
        return records

    def _unseen(self, split: str, splits: Mapping[str, list[str]]) -> list[str]:
        """Return the games of a split that are not trained on; scores on the others would mean nothing."""
        games = [game for game in splits[split] if game not in set(splits["train"])]
        if len(games) < len(splits[split]):
            log.info("%s of split %s trained on and not scored", plural(len(splits[split]) - len(games), "game"), split)
        return games

    def _epoch(self) -> int:
        # Not the set_epoch hook: in a resumed run the first batches are fetched before it, while current_epoch lags.
        return self.trainer.fit_loop.epoch_progress.current.processed if self.trainer else 0  # type: ignore[attr-defined]

    def _ranks(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def data_of(trainer: pl.Trainer) -> SpottingDataModule:
    """Return the data module that a trainer runs on."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, SpottingDataModule):
        raise TypeError(f"expected a SpottingDataModule, found {type(data).__name__}")
    return data


class DemoDataModule(SpottingDataModule):
    """Simulate a small official tree in ``root`` if it is not there yet, and serve it."""

    def __init__(self, demo: Plain, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.demo = demo

    def prepare_data(self) -> None:
        """Write the tree; one rank does it for all."""
        from spotter.simulation.registry import simulate_kind  # here, for real data does without the simulators

        simulate_kind(self.root or "", self.demo)
