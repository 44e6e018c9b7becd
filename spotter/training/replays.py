"""The data of a run that learns to ground replays: each labelled replay is a sequence with one action."""

from __future__ import annotations

from spotter.data.replays import LABELS, ReplaySource, find_replay_records
from spotter.errors import UserError
from spotter.training.datamodule import DemoDataModule, SpottingDataModule
from spotter.types import HalfRecord


class ReplayDataModule(SpottingDataModule):
    """Serve clips of the time before labelled replays; its source is a ``ReplaySource``."""

    match_halves = LABELS.halves

    def _find(self, split: str, games: list[str], labels: str = "required") -> list[HalfRecord]:
        if not isinstance(self.source, ReplaySource):
            raise UserError("data.source: expected a ReplaySource; take data=replays")
        if self.root is None:
            raise UserError(
                "data.root is not set: give data.root=FOLDER, or set the environment variable SOCCERNET_ROOT"
            )
        if not games:
            raise UserError(f"split {split} lists no game; give data.splits.{split}=FILE_OR_LIST")
        return find_replay_records(self.root, games, self.source)


class DemoReplayDataModule(ReplayDataModule, DemoDataModule):
    """Simulate a small official tree with replays in ``root`` if it is not there yet, and serve it."""
