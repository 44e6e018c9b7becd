"""The score of ball action anticipation: the mean of six mAPs of what happens in the seconds after a clip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spotter.errors import UserError
from spotter.evaluation.average_map import average_precision
from spotter.evaluation.events import ALL, collect_events
from spotter.io.anticipation import read_anticipation
from spotter.io.formats import format_of
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Metrics, Spots

OBSERVED = 30.0  # seconds of a clip that are seen
WINDOW = 5.0  # seconds that are anticipated
TOLERANCES = (1, 2, 3, 4, 5)  # seconds, full width
NOTHING = 1e-6  # what a confidence must exceed to be a prediction


def anticipation_map(
    labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions], task: Task, window: float = WINDOW
) -> dict[str, float]:
    """Return ``mean``, by which the challenge of 2026 ranks, and the six mAPs that it is the mean of, as fractions.

    labels, predictions : of one clip each, times from its start; a clip is scored as a half is
    window : seconds that are anticipated; with ``map_at_inf`` a prediction may lie anywhere within them
    """
    shifted = {
        half: HalfPredictions(rows.label, rows.time, rows.confidence - NOTHING) for half, rows in predictions.items()
    }
    tolerances = (*TOLERANCES, 2 * window + 1)
    means = average_precision(collect_events(labels, shifted, task), tolerances)[:, ALL].mean(axis=-1)
    names = [*(f"map_at_{seconds}" for seconds in TOLERANCES), "map_at_inf"]
    return {"mean": float(np.mean(means)), **dict(zip(names, means.tolist(), strict=True))}


def evaluate_anticipation(labels: str | Path, predictions: str | Path, task: Task) -> Metrics:
    """Return the scores of a result file, and the number of clips; labels of the observed seconds do not count.

    labels : a folder with a folder for each clip

    Raises UserError for a missing or malformed file, and for a clip of which the file says nothing.
    """
    clips = format_of(task).games(labels, task)
    if not clips:
        raise UserError(
            f"{labels}: holds no {task.label_file}: give the folder of a split, which holds clip_1 and so on"
        )
    found = read_anticipation(predictions, task)
    if absent := [clip for clip in clips if Half(clip, 1) not in found]:
        raise UserError(f"{predictions}: has no {absent[0]!r}: an empty list of anticipation expects nothing")
    every = format_of(task).read(labels, clips, task)
    spots = {half: every[half].take(every[half].time >= OBSERVED) for half in (Half(clip, 1) for clip in clips)}
    return {**anticipation_map(spots, found, task), "clips": len(clips), "task": task.name, "split": None}
