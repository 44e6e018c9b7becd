"""Events and detections as columns that remember their half and exact time, and which of them lie near each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spotter.tasks import Task
from spotter.types import METRIC_THRESHOLDS, Half, HalfPredictions, Spots, quantise

APART, HALVES = 10**8, 10**6  # frames between halves, and more halves than there are: positions stay below 2**63

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class EventColumns:
    """Hold events or detections as columns, (N,) each, ordered by (class, half, frame) as in ``MetricEvents``.

    half : index of the half
    time : seconds, as in the file; the metric sees the ``frame``
    value : a detection's confidence; 1 for a shown event, 0 for one not shown
    team : index into ``Task.teams``, -1 where it is unknown or the task has none; the metric here does not see it
    """

    label: Ints
    half: Ints
    frame: Ints
    time: Floats
    value: Floats
    team: Ints

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray) -> EventColumns:
        """Return some rows, by a mask or by index."""
        return EventColumns(*(getattr(self, name)[rows] for name in self.__slots__))

    def positions(self, classes: bool = True) -> Ints:
        """Return positions on one axis, on which different halves, and classes if asked for, are never near."""
        section = self.label * HALVES + self.half if classes else self.half
        return section * APART + self.frame


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Hold pairs of a detection and an event that lie near each other, (P,) each.

    distance : frames from the event to the detection
    """

    detection: Ints
    event: Ints
    distance: Ints

    def take(self, rows: NDArray) -> Pairs:
        """Return some pairs, by a mask or by index."""
        return Pairs(self.detection[rows], self.event[rows], self.distance[rows])


def label_columns(labels: Sequence[Spots], task: Task) -> EventColumns:
    """Return what the metric keeps of the labels of several halves."""
    team = [task.team_of(half.team, len(half)) for half in labels]
    return _columns(labels, [half.visible.astype(float) for half in labels], team, task)


def detection_columns(predictions: Mapping[Half, HalfPredictions], halves: Sequence[Half], task: Task) -> EventColumns:
    """Return what the metric keeps of the predictions of several halves: neither negative nor NaN confidences."""
    columns = [predictions.get(half, HalfPredictions.empty()) for half in halves]
    found = _columns(columns, [half.confidence for half in columns], [half.sides for half in columns], task)
    return found.take(found.value >= 0)


def count_thresholds(confidence: Floats) -> Ints:
    """Return how many of the metric's thresholds each confidence, of at least 0, reaches: 0 … 200."""
    last = len(METRIC_THRESHOLDS) - 1
    nearest = np.rint(np.minimum(confidence, 1) * last).astype(np.int64)  # they are equally spaced
    return nearest + (confidence >= METRIC_THRESHOLDS[nearest])


def find_pairs(detections: EventColumns, rows: Ints, events: EventColumns, radius: int, same_class: bool) -> Pairs:
    """Return all pairs of ``rows`` of detections and of events within ``radius`` frames, in the order of ``rows``."""
    position, other = detections.positions(same_class), events.positions(same_class)
    order = np.argsort(other, kind="stable")
    low = np.searchsorted(other, position[rows] - radius, sorter=order)
    high = np.searchsorted(other, position[rows] + radius, side="right", sorter=order)
    count = high - low
    first = np.repeat(rows, count)
    second = order[np.repeat(low - (np.cumsum(count) - count), count) + np.arange(count.sum())]
    return Pairs(first, second, position[first] - other[second])


def _columns(
    halves: Sequence[Spots] | Sequence[HalfPredictions], values: Sequence[Floats], teams: Sequence[Ints], task: Task
) -> EventColumns:
    """Return the last of equal (class, half, frame), each with a value."""
    label = np.concatenate([np.empty(0, np.int64), *(half.label for half in halves)])
    half = np.repeat(np.arange(len(halves)), [len(half) for half in halves])
    time = np.concatenate([np.empty(0), *(half.time for half in halves)])
    value, team = np.concatenate([np.empty(0), *values]), np.concatenate([np.empty(0, np.int64), *teams])
    rows = EventColumns(label, half, quantise(time, task.fps), time, value, team)
    rows = rows.take(np.lexsort((rows.frame, half, label)))  # stable: the last of equals stays the last
    cell = np.stack([rows.label, rows.half, rows.frame])
    return rows.take((np.diff(cell, append=-1) != 0).any(axis=0))
