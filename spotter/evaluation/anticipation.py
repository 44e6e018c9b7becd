"""The score of ball action anticipation: the mean of six mAPs of what happens in the seconds after a clip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spotter.evaluation.average_map import average_precision
from spotter.evaluation.events import ALL, collect_events
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

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
