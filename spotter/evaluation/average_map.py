"""SoccerNet's Average-mAP, equal to the official evaluator bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.evaluation.anticipation import ANTICIPATED, AT_ANY_TIME, PARTS, after_clips
from spotter.evaluation.events import UNSHOWN, MetricEvents, collect_events
from spotter.evaluation.frames import frame_scores
from spotter.evaluation.team_map import labels_by_team, predictions_by_team, team_form, weigh_teams, weights
from spotter.settings import Postprocess
from spotter.tasks import ANTICIPATION, Task
from spotter.types import Half, HalfPredictions, HalfRecord, Metrics, Spots

TOLERANCES = {
    "tight": tuple(range(1, 6)),
    "loose": tuple(range(5, 61, 5)),
    **{f"at_{seconds}": (seconds,) for seconds in range(1, 6)},
}
SECONDS = sorted({tolerance for tolerances in TOLERANCES.values() for tolerance in tolerances})
VIEWS = ("", "_shown", "_unshown")
SOCCERNET = "soccernet-v2"
RECALLS = np.arange(11) / 10


def tolerances_of(task: Task) -> dict[str, tuple[float, ...]]:
    """Return the tolerances in seconds, full width, of each score of a task."""
    return {**TOLERANCES, **({"at_inf": (AT_ANY_TIME,)} if task.metric == ANTICIPATION else {})}


def seconds_of(tolerances: Mapping[str, Sequence[float]]) -> list[float]:
    """Return the tolerances of several scores, each once, in order."""
    return sorted({seconds for several in tolerances.values() for seconds in several})


def average_map(labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions], task: Task) -> Metrics:
    """Return every score of ``predictions``, as fractions: tight, loose, at_1 … at_5, and the number of games.

    A task with tolerances in frames has those of ``frame_scores``, too; one with teams those of ``team_form``; that of
    anticipation ``at_inf`` and ``anticipation``, of what comes after a clip alone. The halves scored are those of
    ``labels``; one that ``predictions`` lacks counts as without predictions.
    """
    if task.metric == ANTICIPATION:
        labels, predictions = after_clips(labels, predictions)
    tolerances = tolerances_of(task)
    seconds = seconds_of(tolerances)
    precision = average_precision(collect_events(labels, predictions, task), seconds)
    metrics: dict[str, Any] = {
        name: _scores(precision[[seconds.index(each) for each in several]], task.classes)
        for name, several in tolerances.items()
    }
    if task.metric == ANTICIPATION:
        metrics[ANTICIPATED] = {"map": float(np.mean([metrics[name]["map"] for name in PARTS]))}
    for name, scores in _team_scores(labels, predictions, task).items():
        metrics[name] |= scores
    return {**metrics, **frame_scores(labels, predictions, task), "games": len({half.game for half in labels})}


def _team_scores(
    labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions], task: Task
) -> dict[str, dict[str, Any]]:
    """Return what each tolerance set of a task with teams has beside its other scores; of other tasks nothing."""
    if not task.teams:
        return {}
    by_team = labels_by_team(labels, task), predictions_by_team(predictions, task)
    events = collect_events(*by_team, task.by_team())
    precision, weight = average_precision(events, SECONDS), weights(events)
    averaged = {
        name: average_tolerances(precision[[SECONDS.index(each) for each in several]])
        for name, several in TOLERANCES.items()
    }
    return {
        name: team_form(weigh_teams(rows, weight, task.sides), task.classes, VIEWS) for name, rows in averaged.items()
    }


def score_predictions(
    predictions: Mapping[Half, HalfPredictions], records: Sequence[HalfRecord], task: Task, postprocess: Postprocess
) -> Metrics | None:
    """Return the metrics of predictions, with the suppression that gave them; None unless all halves have labels."""
    labels = {record.half: record.spots for record in records if record.half in predictions}
    known = {half: spots for half, spots in labels.items() if spots is not None}
    if not known or len(known) < len(labels):
        return None
    return {**average_map(known, predictions, task), "postprocess": postprocess.to_dict()}


def average_precision(events: MetricEvents, tolerances: Sequence[float]) -> NDArray[np.float64]:
    """Return the AP of each tolerance in seconds, view (all, shown, unshown) and class: (T, 3, C).

    Its mean over classes is the mAP; a class without labels has AP 0.
    """
    near = events.near(match_radius(max(tolerances), events.fps))
    return np.stack([_interpolate(*precision_recall(near, tolerance)) for tolerance in tolerances])


def interpolate_precision(
    true: NDArray[np.float64], detections: NDArray[np.float64], events: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the AP (…,) of how many true positives and detections, both (…, 200), reach the metric's thresholds.

    events : (…,) how many events there are to find
    """
    return _interpolate(_ratio(true, detections), _ratio(true, events[..., None]))


def average_tolerances(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the AP of equally spaced tolerances, along the first axis, comes to.

    The ends weigh half; a single tolerance stands for itself.
    """
    if len(precision) == 1:
        return precision[0]
    return np.cumsum((precision[:-1] + precision[1:]) / 2, axis=0)[-1] / (len(precision) - 1)


def precision_recall(events: MetricEvents, tolerance: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return precision and recall at the 200 thresholds of the metric, each (3, C, 200)."""
    true = events.count_reaching(match(events, tolerance))
    return _ratio(true, events.detection_counts), _ratio(true, events.event_counts[..., None])


def match(events: MetricEvents, tolerance: float) -> NDArray[np.bool_]:
    """Return which detections are true positives: (D,)."""
    true = np.zeros(len(events.detection), bool)
    matched = match_events(events, match_radius(tolerance, events.fps))
    true[matched[matched >= 0]] = True
    return true


def match_radius(tolerance: float, fps: int) -> int:
    """Return the largest distance of a match, in frames: half the ``tolerance``, rounded down."""
    return int((tolerance * fps + 1e-9) // 2)  # 0.04 s at 50 frames per second are 2 frames, not a little less


def match_events(events: MetricEvents, radius: int) -> NDArray[np.int64]:
    """Return the detection that each event takes, (E,), -1 for none.

    In order of time every event takes the most confident detection that is left within the ``radius``. Events whose
    windows are linked by shared detections form a chain; chains are independent of each other, so one step serves the
    next event of all chains at once.
    """
    low, high = events.windows(radius)
    candidates = np.flatnonzero(low < high)
    low, high = low[candidates], high[candidates]
    rank, taken = events.rank.copy(), len(events.rank)
    matched = np.full(len(events.event), -1)
    for turn in _turns(low, high):
        size = high[turn] - low[turn]
        begin = np.cumsum(size) - size
        window = np.repeat(low[turn] - begin, size) + np.arange(size.sum())
        best = np.minimum.reduceat(rank[window], begin)
        found = best < taken
        detection = events.ranked[best[found]]
        matched[candidates[turn[found]]] = detection
        rank[detection] = taken
    return matched


def _turns(low: NDArray[np.int64], high: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the events, windows [low, high), that each step serves: the first of every chain, then the second …"""
    index, begins = np.arange(len(low)), np.ones(len(low), bool)
    begins[1:] = low[1:] >= high[:-1]
    step = index - np.maximum.accumulate(np.where(begins, index, 0))
    return np.split(np.argsort(step, kind="stable"), np.cumsum(np.bincount(step))[:-1])


def _ratio(
    part: NDArray[np.int64] | NDArray[np.float64], whole: NDArray[np.int64] | NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def _interpolate(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 11-point AP of curves whose recall falls along the last axis: (…, 200) to (…)."""
    reaching = np.count_nonzero(recall[..., None, :] >= RECALLS[:, None], axis=-1)
    best = np.take_along_axis(np.maximum.accumulate(precision, axis=-1), np.maximum(reaching - 1, 0), axis=-1)
    return np.cumsum(np.where(reaching > 0, best, 0), axis=-1)[..., -1] / len(RECALLS)  # in the official order


@cache
def _official_classes() -> tuple[str, ...]:
    return Task.load(SOCCERNET).classes


def _scores(precision: NDArray[np.float64], classes: Sequence[str]) -> dict[str, Any]:
    means, averages = average_tolerances(precision.mean(axis=-1)), average_tolerances(precision)
    if len(precision) > 1 and tuple(classes) == _official_classes():
        means[UNSHOWN] = means[UNSHOWN] * 17 / 13  # official: 13 of these classes have spots that are not shown
    scores = {f"map{view}": float(mean) for view, mean in zip(VIEWS, means, strict=True)}
    named = [dict(zip(classes, row, strict=True)) for row in averages.tolist()]
    return scores | {f"per_class{view}": row for view, row in zip(VIEWS, named, strict=True)}
