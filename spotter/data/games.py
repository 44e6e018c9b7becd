"""The halves of a split that are on disk, with their lengths and labels, and what is missing."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from spotter.data.periods import PeriodSource
from spotter.data.root import check_root
from spotter.data.source import Source
from spotter.errors import UserError, plural, shorten
from spotter.io.exchange.annotations import Exchange
from spotter.io.formats import AnnotationFormat, format_of
from spotter.io.soccernet import warn_of_other_halves
from spotter.io.splits import SCORED
from spotter.tasks import Task
from spotter.types import Half, HalfRecord, Spots

log = logging.getLogger(__name__)

SAME_RATE = 1e-4  # relative: 30 is not 29.97
MOST_BEYOND_END = 0.02  # fraction of the training spots
EXTRA_TIME = (3, 4)  # halves that few games have


def find_halves(
    root: str | Path | None,
    split: str,
    games: Sequence[str],
    task: Task,
    source: Source,
    labels: str = "required",
    allow_missing: bool = False,
    skip_damaged: bool = False,
    annotations: AnnotationFormat | None = None,
) -> list[HalfRecord]:
    """Return the halves of ``games``, in their order, with labels where there are any.

    labels : ``required``, or ``optional`` where a split may have no labels at all
    allow_missing : continue with what is on disk, with one counted warning, instead of raising
    skip_damaged : leave out games and halves whose files cannot be read, with one counted warning, instead of raising
    annotations : reads the labels; by default the format of the task, below ``root``

    Raises UserError with the first missing file and the remedy.
    """
    root = check_root(root)
    if not games:
        raise UserError(f"split {split} lists no game; give data.splits.{split}=FILE_OR_LIST")
    annotations = annotations or format_of(task)
    missing = annotations.missing(root, games, task)
    labelled = [game for game in games if game not in missing]
    unlabelled_split = labels == "optional" and not labelled
    lacking = [] if unlabelled_split else [missing[game] for game in games if game in missing]
    candidates = [half for game in (games if unlabelled_split else labelled) for half in _halves(game, task, source)]
    gaps = {half: source.missing(half) for half in candidates}
    absent = lacking + [path for paths in gaps.values() for path in paths]
    if absent:
        _report(absent, split, root, games, allow_missing)
    halves = [half for half in candidates if not gaps[half]]
    if not halves:
        raise UserError(f"{root}: nothing of split {split} is there; expected for example {absent[0]}")
    damaged: list[UserError] | None = [] if skip_damaged else None
    games = list(dict.fromkeys(half.game for half in halves))
    spots = {} if unlabelled_split else _read_labels(annotations, root, games, task, damaged)
    known = set(candidates)
    elsewhere = Counter(half.number for half in spots if half not in known for _ in spots[half].label)
    warn_of_other_halves(elsewhere, f"{root}: labels", task)
    records = []
    for half in (half for half in halves if unlabelled_split or half in spots):
        with _collecting(damaged):
            records.append(HalfRecord(half, source.length(half), None if unlabelled_split else spots[half]))
    if damaged:
        log.warning("split %s goes on without %d damaged files, first %s", split, len(damaged), damaged[0])
    if not records:
        raise UserError(f"{root}: nothing of split {split} can be read, first {(damaged or [UserError()])[0]}")
    return records


def _halves(game: str, task: Task, source: Source) -> list[Half]:
    """Return the periods of a file that the labels name, else the halves of the task; of extra time what is there."""
    parts = source.halves(game) if isinstance(source, PeriodSource) else []
    halves = [Half(game, number) for number in task.halves]
    return parts or [half for half in halves if half.number not in EXTRA_TIME or not source.missing(half)]


def warn_of_rates(
    annotations: Exchange, root: str | Path | None, task: Task, source: Source, halves: Iterable[Half]
) -> None:
    """Say once how many inputs have another rate than their file of labels declares; what they have counts."""
    from spotter.data.video.containers import rate_of  # here, so that networks train without PyAV
    from spotter.data.video.find import VIDEOS

    features = source.spec.kind == "features"
    declared = annotations.rates(root or "", task, (".npy",) if features else VIDEOS)
    wrong = []
    for half in (half for half in halves if half in declared):
        video = None if features else source.video(half)
        found = source.fps if features else rate_of(video) if video else 0.0
        if found and not math.isclose(found, declared[half], rel_tol=SAME_RATE):
            wrong.append(
                f"{half.game}: {declared[half]:g} declared, {found:g} by {'data.fps' if features else 'the video'}"
            )
    if wrong:
        log.warning(
            "%d inputs have another rate than the labels declare, which is not used; first %s", len(wrong), wrong[0]
        )


def _read_labels(
    annotations: AnnotationFormat,
    root: str | Path,
    games: Sequence[str],
    task: Task,
    damaged: list[UserError] | None,
) -> dict[Half, Spots]:
    """Return the spots of games, those that cannot be read left out and collected in ``damaged``, if that is a list."""
    if damaged is None:
        return annotations.read(root, games, task)
    spots: dict[Half, Spots] = {}
    for game in games:
        with _collecting(damaged):
            spots |= annotations.read(root, [game], task)
    return spots


@contextmanager
def _collecting(damaged: list[UserError] | None) -> Iterator[None]:
    """Append an error of the block to ``damaged``; where that is None, let it out."""
    try:
        yield
    except UserError as error:
        if damaged is None:
            raise
        damaged.append(error)


def _report(absent: Sequence[Path], split: str, root: str | Path, games: Sequence[str], allow_missing: bool) -> None:
    what = f"{plural(len(absent), 'file')} of split {split} ({plural(len(games), 'game')})"
    message = f"{what} missing below {root}, first {absent[0]}"
    if not allow_missing:
        raise UserError(f"{message}; complete the tree, or go on with what is there: data.allow_missing=true")
    unscored = ": scores leave out their spots, which spotter evaluate and servers count as missed"
    log.warning("%s; continuing without them%s", message, unscored if split in SCORED else "")


def require_spots(records: Sequence[HalfRecord], root: str | Path | None, task: Task) -> None:
    """Raise UserError where a split to train on has no spot at all."""
    if not any(record.spots for record in records):
        raise UserError(
            f"{root}: split train has no spot to train on: none of the labels of its {len(records)} halves has a class "
            f"of the task {task.name}: {shorten(', '.join(task.classes))}; give its labels, or another data.task"
        )


def drop_spots_beyond_end(
    records: Sequence[HalfRecord], source: Source, most: float = MOST_BEYOND_END
) -> list[HalfRecord]:
    """Return halves to train on, without the spots that lie beyond the end of their input, which are counted.

    most : fraction of all spots that may be dropped
    Raises UserError where it is more, which a wrong frame rate or files that are cut off explain.
    """
    kept: list[HalfRecord] = []
    for record in records:
        spots = record.spots or Spots.empty()
        inside = spots.time < source.offset(record.half) + (record.frames + 1) / source.fps
        kept.append(HalfRecord(record.half, record.frames, spots.take(inside)))
    total, left_over = (sum(len(each.spots or ()) for each in halves) for halves in (records, kept))
    if left_over < (1 - most) * total:
        raise UserError(_beyond_end(records, kept, source, total, total - left_over))
    if left_over < total:
        log.warning("%d training spots lie beyond the end of the input and are left out", total - left_over)
    return kept


def _beyond_end(
    records: Sequence[HalfRecord], kept: Sequence[HalfRecord], source: Source, total: int, dropped: int
) -> str:
    """Return a message that names the half whose spots go furthest beyond its end."""
    overhang = [
        0.0 if before.spots is None or len(before.spots) == len(after.spots or ()) else before.spots.time.max()
        for before, after in zip(records, kept, strict=True)
    ]
    worst = records[int(np.argmax(overhang))]
    ends = source.offset(worst.half) + worst.frames / source.fps
    remedy = "check data.fps" if source.spec.kind == "features" else "check that the videos are whole"
    return (
        f"{dropped} of {total} training spots ({100 * dropped / total:.0f} %) lie beyond the end of the input: "
        f"{worst.half.game} half {worst.half.number} ends at {ends:.0f} s by data.fps={source.fps:g} and has spots "
        f"until {max(overhang):.0f} s; {remedy}, or train without them: data.max_beyond_end=1"
    )
