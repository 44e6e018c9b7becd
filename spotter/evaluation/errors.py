"""Sort what is wrong by its cause, and say what each cause costs in mAP.

Everything is judged at one tolerance δ, on what the metric sees: one event or detection per (half, class, frame), and
its own matching. *Near* is within δ/2, as in the metric, *around* within ``AROUND`` times that; *better* is more
confident, of equals the earlier. Every detection has one cause, by the first rule that holds:

right         the metric counts it as a true positive
duplicate     an event of its class is near, or all those around are taken by better detections
displaced     an event of its class is around, and not taken by a better detection
wrong class   an event of another class is near
background    none of these

The cause of a detection depends on better ones only, so no threshold changes it: what is below a threshold is left
out. An event, at a threshold, has one fate: *found* (its match reaches the threshold), else *displaced* or *wrong
class* (a detection of that cause that is aimed at it reaches the threshold), else *missed*. A displaced detection is
aimed at the nearest event around it, of its class, that no better one takes; one of a wrong class at the nearest such
event of another class, if there is any. Nothing here depends on the order of halves or entries beyond the metric's own
rule that the last of equal (class, frame) counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spotter.evaluation.average_map import average_precision
from spotter.evaluation.events import THRESHOLDS, Pool, pool
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots, quantise

CAUSES = ("right", "displaced", "wrong class", "duplicate", "background")
FATES = ("found", "displaced", "wrong class", "missed")
RIGHT, DISPLACED, WRONG_CLASS, DUPLICATE, BACKGROUND = range(len(CAUSES))
ERRORS = (*CAUSES[1:], "missed")
AROUND = 3
APART, HALVES = 10**8, 10**6  # frames between halves, and more halves than there are: places stay below 2**63

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Hold events or detections as columns, (N,) each, ordered by (class, half, frame) as in a ``Pool``.

    half : index of the half
    time : seconds, as in the file; the metric sees the ``frame``
    value : a detection's confidence; 1 for a shown event, 0 for one not shown
    """

    label: Ints
    half: Ints
    frame: Ints
    time: Floats
    value: Floats

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray) -> Rows:
        """Return some rows."""
        return Rows(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class Sorted:
    """Hold the causes of detections (D,) and what decides the fates of events (E,) at one tolerance.

    cause : (D,) index into ``CAUSES``
    match : (E,) the detection that the metric matches with each event, -1 for none
    displaced, wrong : (E,) the best detection of that cause aimed at each event, -1 for none
    around : (E,) the detection that the metric would match at ``AROUND`` times the tolerance, -1 for none
    """

    cause: Ints
    match: Ints
    displaced: Ints
    wrong: Ints
    around: Ints


class ErrorAnalysis:
    """Sort the errors of predictions by cause, at any tolerance."""

    def __init__(self, labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions], task: Task) -> None:
        self.task, self.halves, self._labels = task, sorted(labels), labels
        spots = [labels[half] for half in self.halves]
        predicted = [predictions.get(half, HalfPredictions.empty()) for half in self.halves]
        self.events = rows_of(spots, [half.visible.astype(float) for half in spots], task)
        found = rows_of(predicted, [half.confidence for half in predicted], task)
        self.detections = found.take(found.value >= 0)  # neither negative nor NaN, as in the metric
        self._by_half = np.argsort(self.detections.half, kind="stable")
        self.pool: Pool = pool({half: labels[half] for half in self.halves}, predictions, task)

    def sort(self, tolerance: float) -> Sorted:
        """Return causes and matches at a tolerance in seconds."""
        events, detections = self.events, self.detections
        reach, rank, last = int(tolerance * self.task.fps // 2), self.pool.rank, len(detections)
        match, around = self._assign(reach), self._assign(AROUND * reach)
        taken_by = np.append(rank, last)[match]  # last: by none

        cause = np.full(last, BACKGROUND)
        cause[match[match >= 0]] = RIGHT
        wrong_at = _near(_line(detections, False), _line(events, False), reach, np.flatnonzero(cause != RIGHT))
        wrong_at = wrong_at[:, detections.label[wrong_at[0]] != events.label[wrong_at[1]]]
        own = _near(_line(detections), _line(events), AROUND * reach, np.flatnonzero(cause != RIGHT))
        is_open = taken_by[own[1]] > rank[own[0]]
        cause[wrong_at[0]] = WRONG_CLASS
        cause[own[0]] = DUPLICATE
        cause[own[0][is_open]] = DISPLACED
        cause[own[0][np.abs(own[2]) <= reach]] = DUPLICATE

        wrong_at = wrong_at[:, taken_by[wrong_at[1]] > rank[wrong_at[0]]]
        displaced, wrong = (
            self._best(pairs[:, cause[pairs[0]] == index])
            for pairs, index in ((own[:, is_open], DISPLACED), (wrong_at, WRONG_CLASS))
        )
        return Sorted(cause, match, displaced, wrong, around)

    def fates(self, found: Sorted, threshold: float) -> Ints:
        """Return the fate of every event at a threshold, (E,) index into ``FATES``."""
        confidence = np.append(self.detections.value, -1.0)
        reached = [confidence[rows] >= threshold for rows in (found.match, found.displaced, found.wrong)]
        return np.select(reached, [0, 1, 2], 3)

    def best_threshold(self, found: Sorted) -> int:
        """Return the number of the threshold of the metric at which F1 over all classes is best."""
        right = self.pool.reaching(found.cause == RIGHT)[0].sum(axis=0)
        f1 = 2 * right / np.maximum(self.pool.detections[0].sum(axis=0) + len(self.events), 1)
        return int(len(f1) - 1 - np.argmax(f1[::-1]))

    def precision(self, tolerances: Sequence[float]) -> Floats:
        """Return the AP of each tolerance and class, (T, C)."""
        return average_precision(self.pool, tolerances)[:, 0]

    def without(self, error: str, found: Sorted, threshold: float, tolerances: Sequence[float]) -> Floats:
        """Return the AP of each tolerance and class, (T, C), had an oracle mended one of ``ERRORS``.

        Duplicates and background are dropped. For each event, the best detection that is displaced from it is moved
        onto it, or the best of a wrong class gets its class; all others of that cause are dropped. An event missed at
        the threshold gets a detection of confidence 1. Then the metric is computed anew: nothing is estimated.
        """
        none = np.full(len(self.events), -1)
        if error == "missed":
            missed = self.events.take(self.fates(found, threshold) == FATES.index("missed"))
            added = replace(missed, value=np.ones(len(missed)))
            return average_precision(self._pool(found.cause >= 0, added, np.full(len(missed), -1)), tolerances)[:, 0]
        aimed = {"displaced": found.displaced, "wrong class": found.wrong}.get(error, none)
        event = np.flatnonzero(aimed >= 0)
        added = replace(self.detections.take(aimed[event]), label=self.events.label[event])
        if error == "displaced":
            added = replace(added, frame=self.events.frame[event])
        kept = found.cause != CAUSES.index(error)
        return average_precision(self._pool(kept, added, self.pool.rank[aimed[event]]), tolerances)[:, 0]

    def _assign(self, reach: int) -> Ints:
        """Return the detection that each event takes, (E,), -1 for none: the matching of the metric."""
        event, detection = _line(self.events), _line(self.detections)
        low = np.searchsorted(detection, event - reach).tolist()
        high = np.searchsorted(detection, event + reach, side="right").tolist()
        rank, match = self.pool.rank.copy(), np.full(len(event), -1)
        for row, (begin, end) in enumerate(zip(low, high, strict=True)):
            if begin < end:
                best = begin + int(rank[begin:end].argmin())
                if rank[best] < len(rank):
                    match[row], rank[best] = best, len(rank)
        return match

    def _best(self, pairs: Ints) -> Ints:
        """Aim each detection of the pairs (3, P) at its nearest event; return the best detection of each event."""
        order = np.lexsort((self.events.label[pairs[1]], self.events.frame[pairs[1]], np.abs(pairs[2]), pairs[0]))
        pairs = pairs[:, order]
        pairs = pairs[:, np.diff(pairs[0], prepend=-1) != 0]
        best = np.full(len(self.events), -1)
        worst_first = pairs[:, np.argsort(-self.pool.rank[pairs[0]], kind="stable")]
        best[worst_first[1]] = worst_first[0]
        return best

    def _pool(self, kept: NDArray[np.bool_], added: Rows, rank: Ints) -> Pool:
        """Return what the metric sees of the ``kept`` detections and ``added`` ones; of equal cells the better."""
        place, by_half = np.append(_line(self.detections), np.iinfo(np.int64).max), self._by_half
        at = np.searchsorted(place, _line(added))
        beaten = (place[at] == _line(added)) & np.append(kept, False)[at] & (np.append(self.pool.rank, 0)[at] < rank)
        added = added.take(np.flatnonzero(~beaten)[np.lexsort((-rank[~beaten], added.half[~beaten]))])
        rows = zip(self._halved(self.detections.take(by_half[kept[by_half]])), self._halved(added), strict=True)
        changed = {
            half: HalfPredictions(*(np.concatenate(columns) for columns in zip(*both, strict=True)))
            for half, both in zip(self.halves, rows, strict=True)
        }
        return pool({half: self._labels[half] for half in self.halves}, changed, self.task)

    def _halved(self, rows: Rows) -> Iterator[tuple[NDArray, ...]]:
        """Split rows that stand in the order of halves into label, time and confidence of each half."""
        cuts = np.searchsorted(rows.half, np.arange(1, len(self.halves)))
        time = (rows.frame + 0.5) / self.task.fps
        return zip(*(np.split(column, cuts) for column in (rows.label, time, rows.value)), strict=True)


def rows_of(columns: Sequence[Spots] | Sequence[HalfPredictions], values: Sequence[Floats], task: Task) -> Rows:
    """Return what the metric keeps of labels or predictions, those of several halves, each with a value."""
    empty = np.empty(0, np.int64)
    label = np.concatenate([empty, *(half.label for half in columns)])
    half = np.repeat(np.arange(len(columns)), [len(half) for half in columns])
    time = np.concatenate([np.empty(0), *(half.time for half in columns)])
    rows = Rows(label, half, quantise(time, task.fps), time, np.concatenate([np.empty(0), *values]))
    rows = rows.take(np.lexsort((rows.frame, half, label)))  # stable: the last of equals stays the last
    place = np.stack([rows.label, rows.half, rows.frame])
    return rows.take((np.diff(place, append=-1) != 0).any(axis=0))


def reached(confidence: Floats) -> Ints:
    """Return how many of the metric's thresholds each confidence reaches: 0 … 200."""
    return np.searchsorted(THRESHOLDS, confidence, side="right")


def _line(rows: Rows, classes: bool = True) -> Ints:
    """Return places on a line on which halves, and classes if asked for, lie too far apart to reach each other."""
    section = rows.label * HALVES + rows.half if classes else rows.half
    return section * APART + rows.frame


def _near(place: Ints, other: Ints, reach: int, rows: Ints) -> Ints:
    """Return all pairs of ``rows`` of ``place`` and of rows of ``other`` within ``reach``: (3, P), with distances."""
    order = np.argsort(other, kind="stable")
    low = np.searchsorted(other, place[rows] - reach, sorter=order)
    high = np.searchsorted(other, place[rows] + reach, side="right", sorter=order)
    count = high - low
    first = np.repeat(rows, count)
    second = order[np.repeat(low - (np.cumsum(count) - count), count) + np.arange(count.sum())]
    return np.stack([first, second, place[first] - other[second]])
