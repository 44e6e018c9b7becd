"""What the metric sees: labels and predictions in whole frames, of equal (class, frame) the last, ordered in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.tasks import Task
from spotter.types import HALF_SECONDS, METRIC_THRESHOLDS, Half, HalfPredictions, Spots, quantise

ALL, SHOWN, UNSHOWN = range(3)


@dataclass(frozen=True, eq=False)
class MetricEvents:
    """Hold the events (labels) and detections of all halves on one axis, ordered by (class, half, frame).

    event : (E,) int64, position on the axis, ascending
    detection : (D,) int64, position on the axis, ascending
    confidence : (D,) float64
    cell : (D,) int64, cell of the (2, C, 201) histogram over shown or not, class, thresholds reached
    event_counts : (3, C) int64, how many events a view (all, shown, unshown) has of each class
    detection_counts : (3, C, 200) int64, how many detections reach each threshold
    frames : frames of a half, the axis' length for one class and half
    fps : frames per second
    """

    event: NDArray[np.int64]
    detection: NDArray[np.int64]
    confidence: NDArray[np.float64]
    cell: NDArray[np.int64]
    event_counts: NDArray[np.int64]
    detection_counts: NDArray[np.int64]
    frames: int
    fps: int

    @cached_property
    def ranked(self) -> NDArray[np.int64]:
        """Return the detections from the highest confidence to the lowest, equal ones from the earliest: (D,)."""
        return np.argsort(-self.confidence, kind="stable")

    @cached_property
    def rank(self) -> NDArray[np.int64]:
        """Return each detection's index in ``ranked``: (D,)."""
        rank = np.empty_like(self.ranked)
        rank[self.ranked] = np.arange(len(rank))
        return rank

    def windows(self, radius: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first detection within ``radius`` frames of each event, and the first behind: (E,) each."""
        start = self.event - self.event % self.frames
        low = np.searchsorted(self.detection, np.maximum(self.event - radius, start))
        last = np.minimum(self.event + radius, start + self.frames - 1)
        return low, np.searchsorted(self.detection, last, side="right")

    def near(self, radius: int) -> MetricEvents:
        """Return the same events with the detections within ``radius`` frames of one: all that can be matched.

        The counts stay those of all detections.
        """
        low, high = self.windows(radius)
        size = len(self.detection) + 1
        rows = np.flatnonzero(np.cumsum(np.bincount(low, minlength=size) - np.bincount(high, minlength=size)))
        columns = {name: getattr(self, name)[rows] for name in ("detection", "confidence", "cell")}
        return replace(self, **columns)

    def count_reaching(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return how many of some detections, a mask (D,), reach each threshold: (3, C, 200)."""
        return _count_reaching(self.cell[mask], self.event_counts.shape[1])


def collect_events(
    labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions], task: Task
) -> MetricEvents:
    """Collect all that matching needs and that no tolerance changes; the halves scored are those of ``labels``.

    Raises UserError for a time more than two hours before the start of its half.
    """
    halves, classes, frames = list(labels), len(task.classes), HALF_SECONDS * task.fps
    spots, predicted = list(labels.values()), [predictions.get(half, HalfPredictions.empty()) for half in halves]
    event, kept = _positions(halves, spots, task)
    shown = np.concatenate([np.empty(0, bool), *(half.visible for half in spots)])[kept]
    event_class = event // (len(halves) * frames)
    events = np.stack([np.bincount(event_class[view], minlength=classes) for view in (shown, ~shown)])

    detection, kept = _positions(halves, predicted, task)
    confidence = np.concatenate([np.empty(0), *(half.confidence for half in predicted)])[kept]
    legal = confidence >= 0  # neither negative nor NaN; such an entry has deleted what stood in its cell before
    detection, confidence = detection[legal], confidence[legal]
    view = np.where(_in_shown_cell(detection, event, shown, frames), 0, 1)
    row = view * classes + detection // (len(halves) * frames)
    cell = row * (len(METRIC_THRESHOLDS) + 1) + _thresholds_reached(confidence)
    return MetricEvents(
        event=event,
        detection=detection,
        confidence=confidence,
        cell=cell,
        event_counts=np.concatenate([events.sum(axis=0, keepdims=True), events]),
        detection_counts=_count_reaching(cell, classes),
        frames=frames,
        fps=task.fps,
    )


def _positions(
    halves: Sequence[Half], columns: Sequence[Spots] | Sequence[HalfPredictions], task: Task
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sorted distinct positions of all rows, and the row of the joined columns that counts for each."""
    half = np.repeat(np.arange(len(columns)), [len(rows) for rows in columns])
    label = np.concatenate([np.empty(0, np.int64), *(rows.label for rows in columns)])
    time = np.concatenate([np.empty(0), *(rows.time for rows in columns)])
    frame = quantise(time, task.fps)
    if (frame < 0).any():
        row = np.flatnonzero(frame < 0)[0]
        game, number = halves[half[row]]
        raise UserError(f"{game}, half {number}: the time {time[row]} s lies two hours before the half: correct it")
    position = (label * len(halves) + half) * (HALF_SECONDS * task.fps) + frame
    order = np.argsort(label.astype(np.int16), kind="stable")  # of short numbers fast; enough where a half is by time
    if np.any(np.diff(position[order]) < 0):
        order = np.argsort(position, kind="stable")
    position = position[order]
    last = np.diff(position, append=-1) != 0
    return position[last], order[last]


def _in_shown_cell(
    detection: NDArray[np.int64], event: NDArray[np.int64], shown: NDArray[np.bool_], frames: int
) -> NDArray[np.bool_]:
    """Return whether the event that owns each detection's frame is a shown one: (D,).

    Owners change at the floored midpoint of neighbours; without any event of its class and half, there is none.
    """
    if not len(event):
        return np.zeros(len(detection), bool)
    left, right = event[:-1], event[1:]
    cut = np.where(left // frames == right // frames, (left + right) // 2, right - right % frames)
    changes = np.searchsorted(detection, cut)  # few cuts among many detections
    owner = np.repeat(np.arange(len(event)), np.diff(changes, prepend=0, append=len(detection)))
    return shown[owner] & (event[owner] // frames == detection // frames)


def _thresholds_reached(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many thresholds of the metric each confidence, of at least 0, reaches."""
    last = len(METRIC_THRESHOLDS) - 1
    nearest = np.rint(np.minimum(confidence, 1) * last).astype(np.int64)  # they are equally spaced
    return nearest + (confidence >= METRIC_THRESHOLDS[nearest])


def _count_reaching(cell: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    reached = len(METRIC_THRESHOLDS) + 1
    counts = np.bincount(cell, minlength=2 * classes * reached).reshape(2, classes, reached)
    views = counts[..., ::-1].cumsum(axis=-1)[..., ::-1][..., 1:]
    return np.concatenate([views.sum(axis=0, keepdims=True), views])
