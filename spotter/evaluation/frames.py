"""mAP by tolerances in frames, as E2E-Spot (Hong et al., 2022) scores: every prediction is a point of the curve.

From the most confident prediction to the least, each takes the nearest label of its class that is left in its half, if
it lies within the tolerance to either side. AP is the area under precision, interpolated from the right, over recall;
mAP its mean over the classes that have labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.evaluation.columns import APART, Floats, Ints
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

MEAN = "frames"  # the name of the mean over all tolerances


@dataclass(frozen=True, slots=True, eq=False)
class RankedEvents:
    """Hold the events of all halves, and the detections from the most to the least confident.

    event, detection : (E,) and (D,) positions on one axis, on which other halves and classes are never near
    event_class, detection_class : (E,) and (D,)
    event_game, detection_game : (E,) and (D,), games in the order in which the labels first name them
    confidence : (D,)
    games, classes : how many there are
    """

    event: Ints
    event_class: Ints
    event_game: Ints
    detection: Ints
    detection_class: Ints
    detection_game: Ints
    confidence: Floats
    games: int
    classes: int


def frame_scores(
    labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions], task: Task
) -> dict[str, dict[str, Any]]:
    """Return ``within_<n>`` for each tolerance of the task and ``frames``, their mean, as fractions.

    Each has ``map``, and ``per_class`` with None for a class without labels, which does not count in the mean. Without
    any labels the mAP is 0. Of a task without tolerances the result is empty.
    """
    if not task.tolerances:
        return {}
    ranked = rank_detections(labels, predictions, task)
    means, classes = frame_precision(ranked, task.tolerances, np.ones((1, ranked.games)))
    columns = dict(zip(score_names(task), zip(means[:, 0].tolist(), classes[:, 0], strict=True), strict=True))
    return {
        name: {
            "map": mean,
            "per_class": {
                label: None if np.isnan(value) else float(value) for label, value in zip(task.classes, row, strict=True)
            },
        }
        for name, (mean, row) in columns.items()
    }


def score_names(task: Task) -> list[str]:
    """Return the names of a task's scores by tolerances in frames, none where it has no such tolerances."""
    return [*(f"within_{frames}" for frames in task.tolerances), MEAN] if task.tolerances else []


def rank_detections(
    labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions], task: Task
) -> RankedEvents:
    """Collect labels and predictions at the nearest metric frame; negative and NaN confidences are left out.

    Equal confidences are ranked by half, by time, then as in the columns. The halves scored are those of ``labels``.
    """
    halves = sorted(labels)
    numbers = {game: number for number, game in enumerate(dict.fromkeys(half.game for half in labels))}
    games = np.array([numbers[half.game] for half in halves], np.int64)
    found = [predictions.get(half, HalfPredictions.empty()) for half in halves]
    event_half, event_class, event = _columns([labels[half] for half in halves], task)
    half, label, position = _columns(found, task)
    confidence = np.concatenate([np.empty(0), *(each.confidence for each in found)])
    order = np.lexsort((position, half, -confidence))
    order = order[confidence[order] >= 0]
    in_time = np.argsort(event, kind="stable")
    return RankedEvents(
        event=event[in_time],
        event_class=event_class[in_time],
        event_game=games[event_half[in_time]],
        detection=position[order],
        detection_class=label[order],
        detection_game=games[half[order]],
        confidence=confidence[order],
        games=len(numbers),
        classes=len(task.classes),
    )


def frame_precision(ranked: RankedEvents, tolerances: Sequence[int], weights: Floats) -> tuple[Floats, Floats]:
    """Return mAP (T + 1, R) and the AP of each class (T + 1, R, C) at tolerances in frames, and last their means.

    weights : (R, G), how often each game counts in each of R results; ones count every game once
    AP is NaN for a class without labels, which the mAP leaves out; without any labels the mAP is 0.
    """
    if not tolerances:
        return np.empty((0, len(weights))), np.empty((0, len(weights), ranked.classes))
    precision = np.stack([_average_precision(ranked, match_nearest(ranked, each), weights) for each in tolerances])
    precision = np.concatenate([precision, precision.mean(axis=0, keepdims=True)])
    present = ~np.isnan(precision)
    means = np.where(present, precision, 0).sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
    return means, precision


def match_nearest(ranked: RankedEvents, tolerance: int) -> Ints:
    """Return the event that each detection takes, (D,), -1 for none.

    A detection that no better one shares an event with takes its nearest whatever happens elsewhere, of equally near
    ones the earlier. So all such detections take theirs at once, and what is left goes through the next round.
    """
    event, detection = ranked.event, ranked.detection
    low = np.searchsorted(event, detection - tolerance)
    count = np.searchsorted(event, detection + tolerance, side="right") - low
    rows = np.repeat(np.arange(len(detection)), count)  # of all pairs that lie near, the best detections first
    near = np.repeat(low - (np.cumsum(count) - count), count) + np.arange(count.sum())
    distance = np.abs(detection[rows] - event[near])
    match, taken = np.full(len(detection), -1), np.zeros(len(event), bool)
    while len(rows):
        best, waits = np.zeros(len(event), np.int64), np.zeros(len(detection), bool)
        best[near[::-1]] = rows[::-1]  # the last that is written stays
        waits[rows[best[near] < rows]] = True
        free = np.flatnonzero(~waits[rows])
        free = free[np.lexsort((near[free], distance[free], rows[free]))]
        free = free[np.diff(rows[free], prepend=-1) != 0]
        match[rows[free]] = near[free]
        taken[near[free]] = True
        left = waits[rows] & ~taken[near]
        rows, near, distance = rows[left], near[left], distance[left]
    return match


def _average_precision(ranked: RankedEvents, match: Ints, weights: Floats) -> Floats:
    """Return the AP of each class, (R, C), of matched detections."""
    events = np.bincount(ranked.event_class * ranked.games + ranked.event_game, minlength=ranked.classes * ranked.games)
    total = weights @ events.reshape(ranked.classes, ranked.games).T  # (R, C)
    area = np.zeros(total.shape)
    for label in np.unique(ranked.detection_class):
        rows = np.flatnonzero(ranked.detection_class == label)
        game, hit = ranked.detection_game[rows], np.flatnonzero(match[rows] >= 0)
        upto = np.searchsorted(hit, np.arange(len(rows)))  # the first true positive that is not before a detection
        tried = np.bincount(game * (len(hit) + 1) + upto, minlength=ranked.games * (len(hit) + 1))
        tried = np.cumsum(tried.reshape(ranked.games, -1)[:, :-1], axis=1)  # (G, hits)
        gained = weights[:, game[hit]]  # (R, hits)
        reached = weights @ tried
        precision = np.divide(np.cumsum(gained, axis=1), reached, out=np.zeros(gained.shape), where=reached > 0)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        area[:, label] = (gained * best).sum(axis=1)
    return np.divide(area, total, out=np.full(total.shape, np.nan), where=total > 0)


def _columns(halves: Sequence[Spots] | Sequence[HalfPredictions], task: Task) -> tuple[Ints, Ints, NDArray[np.int64]]:
    """Return half, class and position of all rows."""
    half = np.repeat(np.arange(len(halves)), [len(each) for each in halves])
    label = np.concatenate([np.empty(0, np.int64), *(each.label for each in halves)])
    time = np.concatenate([np.empty(0), *(each.time for each in halves)])
    frame = np.clip(np.rint(time * task.fps), -APART // 4, APART // 4).astype(np.int64)
    return half, label, (label * len(halves) + half) * APART + frame
