"""Joint training: each batch holds clips of several label sets, the data set's own and others beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from torch.utils.data import Dataset, Sampler

from spotter.data.clips import TrainingBatches
from spotter.data.datasets import ClipDataset
from spotter.settings import ClipConfig
from spotter.types import Batch, Clip


def part_of_epoch(clips: ClipConfig, count: int, batch_size: int) -> ClipConfig:
    """Return the clips of a label set that has ``count`` of the ``batch_size`` clips of every batch."""
    return replace(clips, per_epoch=clips.per_epoch * count // batch_size)


class JointDataset(Dataset[Batch]):
    """Return the batch of the first label set, with those of the ``others`` in it."""

    def __init__(self, first: ClipDataset, others: Mapping[str, ClipDataset]) -> None:
        self._first, self._others, self.source = first, others, first.source

    def __getitem__(self, clips: Sequence[Sequence[Clip]]) -> Batch:
        first, *rest = clips
        named = zip(self._others.items(), rest, strict=True)
        return {**self._first[first], "others": {name: dataset[each] for (name, dataset), each in named}}


class JointBatches(Sampler[list[list[Clip]]]):
    """Draw, for every step, the clips of each label set; all have as many batches in an epoch."""

    def __init__(self, each: Sequence[TrainingBatches]) -> None:
        self._each = each

    def __len__(self) -> int:
        return len(self._each[0])

    def __iter__(self) -> Iterator[list[list[Clip]]]:
        return map(list, zip(*self._each, strict=True))
