"""What the metric sees: labels and predictions in whole frames, of equal (class, frame) the last, ordered in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.evaluation.columns import count_thresholds
from spotter.tasks import Task
from spotter.types import HALF_SECONDS, METRIC_THRESHOLDS, Half, HalfPredictions, Spots, quantise

ALL, SHOWN, UNSHOWN = range(3)
COLUMNS = len(METRIC_THRESHOLDS) + 1  # of the histogram: how many thresholds a confidence can reach
Value = TypeVar("Value", np.bool_, np.float64)


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
        """Return the first detection within ``radius`` frames of each event, and the first after: (E,) each."""
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
    event, shown = _positions(halves, spots, [each.visible for each in spots], np.bool_, task)
    event_class = event // (len(halves) * frames)
    events = np.stack([np.bincount(event_class[view], minlength=classes) for view in (shown, ~shown)])

    detection, confidence = _positions(halves, predicted, [each.confidence for each in predicted], np.float64, task)
    legal = confidence >= 0  # neither negative nor NaN; such an entry has deleted what stood in its cell before
    if not legal.all():
        detection, confidence = detection[legal], confidence[legal]
    first = np.searchsorted(detection, len(halves) * frames * np.arange(classes))  # of each class
    cell = _histogram_row(detection, first, event, shown, frames)
    cell += count_thresholds(confidence)
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
    halves: Sequence[Half],
    columns: Sequence[Spots | HalfPredictions],
    values: Sequence[NDArray[Value]],
    kind: type[Value],
    task: Task,
) -> tuple[NDArray[np.int64], NDArray[Value]]:
    """Return the sorted distinct positions of all rows, and what ``values`` has for the row that counts: the last."""
    frames, classes = HALF_SECONDS * task.fps, range(len(task.classes))
    places: list[NDArray[np.int64]] = []
    kept: list[NDArray[Value]] = []
    for half, rows, value in zip(halves, columns, values, strict=True):
        place, last = _order_half(half, rows, task.fps)
        places.append(place)
        kept.append(value if last is None else value[last])
    edges = [np.searchsorted(place, frames * np.arange(len(classes) + 1)).tolist() for place in places]
    parts = [
        (label, number, slice(*edges[number][label : label + 2])) for label in classes for number in range(len(halves))
    ]
    found: list[NDArray[Value]] = [kept[number][part] for _, number, part in parts]
    position: list[NDArray[np.int64]] = [
        places[number][part] + frames * (label * (len(halves) - 1) + number) for label, number, part in parts
    ]
    return np.concatenate([np.empty(0, np.int64), *position]), np.concatenate([np.empty(0, kind), *found])


def _order_half(
    half: Half, rows: Spots | HalfPredictions, fps: int
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Return the sorted distinct places of a half, class by class, and the last row of each; None stands for all."""
    frame = quantise(rows.time, fps)
    if (frame < 0).any():
        time = rows.time[np.flatnonzero(frame < 0)[0]]
        raise UserError(
            f"{half.game}, half {half.number}: the time {time} s lies two hours before the half: correct it"
        )
    place = rows.label * (HALF_SECONDS * fps) + frame
    if np.all(np.diff(place) > 0):
        return place, None
    order = np.argsort(rows.label.astype(np.int16), kind="stable")  # of short numbers fast; enough if rows are by time
    if np.any(np.diff(place[order]) < 0):
        order = np.argsort(place, kind="stable")
    place = place[order]
    last = np.diff(place, append=-1) != 0
    return place[last], order[last]


def _histogram_row(
    detection: NDArray[np.int64],
    first: NDArray[np.int64],
    event: NDArray[np.int64],
    shown: NDArray[np.bool_],
    frames: int,
) -> NDArray[np.int64]:
    """Return the first cell of each detection's row, (D,): of its class, and of shown or not.

    It is shown if the event that owns its frame is. Owners change at the floored midpoint of neighbours; without any
    event of its class and half, there is none. The rows are made of the few places at which they change.

    first : (C,) the first detection of each class
    """
    classes, start = len(first), event - event % frames
    begin, end, middle = start.copy(), start + frames, (event[:-1] + event[1:]) // 2
    together = start[:-1] == start[1:]
    begin[1:][together] = end[:-1][together] = middle[together]
    change = np.concatenate([first, *(np.searchsorted(detection, edge[shown]) for edge in (begin, end))])
    step = np.repeat([1, -classes, classes], [classes, shown.sum(), shown.sum()])
    step[0] = classes  # the first row of those not shown
    order = np.argsort(change, kind="stable")
    return np.repeat(COLUMNS * np.cumsum(step[order]), np.diff(change[order], append=len(detection)))


def reaching(histogram: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many reach each threshold, from how many reach exactly 0 … 200 of them: (…, 201) to (…, 200)."""
    return histogram[..., ::-1].cumsum(axis=-1)[..., ::-1][..., 1:]


def _count_reaching(cell: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    counts = np.bincount(cell, minlength=2 * classes * COLUMNS).reshape(2, classes, COLUMNS)
    views = reaching(counts)
    return np.concatenate([views.sum(axis=0, keepdims=True), views])
