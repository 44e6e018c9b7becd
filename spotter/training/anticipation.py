"""The data of a run that learns to anticipate: clips that are listed, or cut from matches, whose end is not shown."""

from __future__ import annotations

from typing import Any

from spotter.data.anticipation import AnticipationSource, find_clips
from spotter.data.source import Source
from spotter.errors import UserError
from spotter.io.anticipation import SECONDS, WINDOW, load_clip_splits
from spotter.io.splits import hold_out
from spotter.training.datamodule import DemoDataModule, SpottingDataModule
from spotter.types import HalfRecord

TRAINING_STEP = 1.0  # seconds from a clip of a match to the next; clips that are scored overlap in no hidden part


class AnticipationDataModule(SpottingDataModule):
    """Serve clips for any dense system, see ``AnticipationSource``.

    source : reads the halves that clips are cut from, or clips as such
    clip_seconds : of a clip, what is hidden included
    The others are those of ``SpottingDataModule``.
    """

    def __init__(self, source: Source, clip_seconds: float = SECONDS, **kwargs: Any) -> None:
        if kwargs.get("labels"):
            raise UserError("data.labels: clips have theirs in data.root; leave it out")
        self.clip_source = AnticipationSource(source, clip_seconds)
        super().__init__(source=self.clip_source, **kwargs)

    def _find(self, split: str, games: list[str], labels: str = "required") -> list[HalfRecord]:
        step = TRAINING_STEP if split == "train" else WINDOW
        given = (self.root, split, games, self.task, self.clip_source, labels, self.allow_missing)
        return find_clips(*given, skip_damaged=self.skips is not None, step=step)

    def _load_splits(self) -> dict[str, list[str]]:
        splits = load_clip_splits(self.task, self.root, self.splits)
        return hold_out(splits, self.fold) if self.fold else splits


class DemoAnticipationDataModule(AnticipationDataModule, DemoDataModule):
    """Simulate a small tree of matches in ``root`` if it is not there yet, and serve clips of it."""
