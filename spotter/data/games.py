"""What lies on disk for a split: halves with their lengths and labels, and what is missing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spotter.data.source import Source
from spotter.errors import UserError
from spotter.io.formats import format_of
from spotter.tasks import Task
from spotter.types import Half, HalfRecord, Spots

log = logging.getLogger(__name__)


def find_halves(
    root: str | Path | None,
    split: str,
    games: Sequence[str],
    task: Task,
    source: Source,
    labels: str = "required",
    allow_missing: bool = False,
) -> list[HalfRecord]:
    """Return the halves of ``games``, in their order, with labels where there are any.

    labels : ``required``, or ``optional`` where a split may have no labels at all
    allow_missing : go on with what is there, with one counted warning, instead of raising

    Raises UserError with the first missing file and the remedy.
    """
    if root is None:
        raise UserError("data.root is not set: give data.root=FOLDER, or set the environment variable SOCCERNET_ROOT")
    if not Path(root).is_dir():
        raise UserError(f"data.root: no folder {str(root)!r}; give the official tree <root>/<league>/<season>/<game>/")
    if not games:
        raise UserError(f"split {split} lists no game; give data.splits.{split}=FILE_OR_LIST")
    missing = format_of(task).missing(root, games, task)
    labelled = [game for game in games if game not in missing]
    unlabelled_split = labels == "optional" and not labelled
    lacking = [] if unlabelled_split else [missing[game] for game in games if game in missing]
    candidates = [Half(game, n) for game in (games if unlabelled_split else labelled) for n in task.halves]
    gaps = {half: source.missing(half) for half in candidates}
    absent = lacking + [path for paths in gaps.values() for path in paths]
    if absent:
        _report(absent, split, root, games, allow_missing)
    halves = [half for half in candidates if not gaps[half]]
    if not halves:
        raise UserError(f"{root}: nothing of split {split} is there; expected for example {absent[0]}")
    spots = {} if unlabelled_split else format_of(task).read(root, list(dict.fromkeys(h.game for h in halves)), task)
    return [HalfRecord(half, source.length(half), None if unlabelled_split else spots[half]) for half in halves]


def _report(absent: Sequence[Path], split: str, root: str | Path, games: Sequence[str], allow_missing: bool) -> None:
    said = f"{len(absent)} files of split {split} ({len(games)} games) are missing below {root}, first {absent[0]}"
    if not allow_missing:
        raise UserError(f"{said}; complete the tree, or go on with what is there: data.allow_missing=true")
    log.warning("%s; going on without them", said)


def trainable(records: Sequence[HalfRecord], source: Source) -> list[HalfRecord]:
    """Drop the spots that lie beyond the end of the input, with one counted warning."""
    kept, dropped = [], 0
    for record in records:
        spots = record.spots or Spots.empty()
        inside = spots.time < source.offset + (record.frames + 1) / source.fps
        dropped += int(np.sum(~inside))
        kept.append(
            HalfRecord(
                record.half, record.frames, Spots(spots.label[inside], spots.time[inside], spots.visible[inside])
            )
        )
    if dropped:
        log.warning("%d training spots lie beyond the end of the input and are left out", dropped)
    return kept
