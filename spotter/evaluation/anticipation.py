"""What is scored of ball action anticipation: what happens in the seconds after each clip, whatever was seen before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from spotter.errors import UserError
from spotter.io.anticipation import OBSERVED, WINDOW, ClipOf
from spotter.io.formats import format_of
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

AT_ANY_TIME = 2 * WINDOW + 1  # seconds of tolerance with which a prediction may lie anywhere
NOTHING = 1e-6  # what a confidence must exceed to be a prediction
ANTICIPATED = "anticipation"  # the name of the mean by which the challenge of 2026 ranks
PARTS = (*(f"at_{seconds}" for seconds in range(1, 6)), "at_inf")  # what it is the mean of


def after_clips(
    labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions]
) -> tuple[dict[Half, Spots], dict[Half, HalfPredictions]]:
    """Return the labels and predictions that count, after what is observed, with confidences as official code has them.

    labels, predictions : of one clip each, times from its start; a clip is scored as a half is
    """
    expected = {half: rows.take(rows.time >= OBSERVED) for half, rows in predictions.items()}
    lowered = {half: replace(rows, confidence=rows.confidence - NOTHING) for half, rows in expected.items()}
    return {half: spots.take(spots.time >= OBSERVED) for half, spots in labels.items()}, lowered


def folder_of_split(labels: str | Path, split: str | None, task: Task) -> str | Path:
    """Return the folder of a split in ``labels``, if it holds a list of clips; else ``labels`` itself."""
    folder = Path(labels, split or "")
    return folder if split and (folder / task.label_file).is_file() else labels


def read_clips(root: str | Path, clips: Iterable[Half], task: Task) -> dict[Half, Spots]:
    """Return the labels of clips, also of those that are cut from matches; the errors are those of the format."""
    parts = {clip: ClipOf.of(clip) for clip in clips}
    games = dict.fromkeys(part.half.game for part in parts.values())
    labels = format_of(task).read(root, games, task)
    return {clip: part.cut(labels.get(part.half, Spots.empty())) for clip, part in parts.items()}


def scored_clips(labels: str | Path, predictions: Mapping[Half, HalfPredictions], task: Task) -> list[Half]:
    """Return the clips that ``labels`` lists; where it holds matches, those of them that are predicted.

    Raises UserError where there are none.
    """
    listed = [Half(name, 1) for name in format_of(task).games(labels, task)]
    if not listed:
        raise UserError(f"{labels}: holds no {task.label_file}: give the folder of a split, or of matches")
    return list(predictions) if any(ClipOf.of(clip).half != clip for clip in predictions) else listed
