"""Sort what is wrong by its cause, and say what each cause costs in mAP.

Everything is judged at one tolerance δ, on what the metric sees: one event or detection per (half, class, frame), and
its own matching. *Near* is within δ/2, as in the metric, *around* within ``AROUND`` times that; *better* is more
confident, of equals the earlier. Every detection has one cause, by the first rule that holds:

true positive   the metric counts it as one
duplicate       an event of its class is near, or all those around are taken by better detections
displaced       an event of its class is around, and not taken by a better detection
wrong class     an event of another class is near
background      none of these

The cause of a detection depends on better ones only, so no threshold changes it: what is below a threshold is left
out. An event, at a threshold, has one outcome: *found* (its match reaches the threshold), else *displaced* or *wrong
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

from spotter.evaluation.average_map import average_precision, match_events, match_radius
from spotter.evaluation.columns import (
    EventColumns,
    Floats,
    Ints,
    Pairs,
    detection_columns,
    find_pairs,
    label_columns,
)
from spotter.evaluation.events import MetricEvents, collect_events
from spotter.evaluation.f1 import f1, last_best
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

CAUSES = ("true positive", "displaced", "wrong class", "duplicate", "background")
OUTCOMES = ("found", "displaced", "wrong class", "missed")
TRUE_POSITIVE, DISPLACED, WRONG_CLASS, DUPLICATE, BACKGROUND = range(len(CAUSES))
ERRORS = (*CAUSES[1:], "missed")
AROUND = 3


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """Hold the causes of detections (D,) and what decides the outcomes of events (E,) at one tolerance.

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
        self.task, self.halves = task, sorted(labels)
        self._labels = {half: labels[half] for half in self.halves}
        self.events = label_columns(list(self._labels.values()), task)
        self.detections = detection_columns(predictions, self.halves, task)
        self._by_half = np.argsort(self.detections.half, kind="stable")
        self.metric_events: MetricEvents = collect_events(self._labels, predictions, task)

    def diagnose(self, tolerance: float) -> Diagnosis:
        """Return causes and matches at a tolerance in seconds."""
        radius = match_radius(tolerance, self.task.fps)
        match = match_events(self.metric_events, radius)
        wrong = np.ones(len(self.detections), bool)
        wrong[match[match >= 0]] = False
        rows = np.flatnonzero(wrong)
        own = find_pairs(self.detections, rows, self.events, AROUND * radius, same_class=True)
        other = find_pairs(self.detections, rows, self.events, radius, same_class=False)
        other = other.take(self.detections.label[other.detection] != self.events.label[other.event])

        own_free, other_free = (self._not_taken_by_better(pairs, match) for pairs in (own, other))
        cause = self._causes(wrong, own, own_free, other, radius)
        displaced = own.take(own_free & (cause[own.detection] == DISPLACED))
        wrong_class = other.take(other_free & (cause[other.detection] == WRONG_CLASS))
        around = match_events(self.metric_events, AROUND * radius)
        return Diagnosis(cause, match, self._best_aimed(displaced), self._best_aimed(wrong_class), around)

    def outcomes(self, found: Diagnosis, threshold: float) -> Ints:
        """Return the outcome of every event at a threshold, (E,) index into ``OUTCOMES``."""
        confidence = np.append(self.detections.value, -1.0)
        reached = [confidence[rows] >= threshold for rows in (found.match, found.displaced, found.wrong)]
        return np.select(reached, [0, 1, 2], 3)

    def best_threshold(self, found: Diagnosis) -> int:
        """Return the number of the threshold of the metric at which F1 over all classes is best."""
        true = self.metric_events.count_reaching(found.cause == TRUE_POSITIVE)[0].sum(axis=0)
        reached = self.metric_events.detection_counts[0].sum(axis=0)
        return int(last_best(f1(true, reached, np.array(len(self.events)))))

    def precision(self, tolerances: Sequence[float]) -> Floats:
        """Return the AP of each tolerance and class, (T, C)."""
        return average_precision(self.metric_events, tolerances)[:, 0]

    def precision_without(self, error: str, found: Diagnosis, threshold: float, tolerances: Sequence[float]) -> Floats:
        """Return the AP of each tolerance and class, (T, C), had an oracle corrected one of ``ERRORS``.

        Duplicates and background are dropped. For each event, the best detection that is displaced from it is moved
        onto it, or the best of a wrong class gets its class; all others of that cause are dropped. An event missed at
        the threshold gets a detection of confidence 1. Then the metric is computed again: nothing is estimated.
        """
        none = np.full(len(self.events), -1)
        if error == "missed":
            missed = self.events.take(self.outcomes(found, threshold) == OUTCOMES.index("missed"))
            added = replace(missed, value=np.ones(len(missed)))
            changed = self._changed(found.cause >= 0, added, np.full(len(missed), -1))
            return average_precision(changed, tolerances)[:, 0]
        aimed = {"displaced": found.displaced, "wrong class": found.wrong}.get(error, none)
        event = np.flatnonzero(aimed >= 0)
        added = replace(self.detections.take(aimed[event]), label=self.events.label[event])
        if error == "displaced":
            added = replace(added, frame=self.events.frame[event])
        kept = found.cause != CAUSES.index(error)
        changed = self._changed(kept, added, self.metric_events.rank[aimed[event]])
        return average_precision(changed, tolerances)[:, 0]

    def _not_taken_by_better(self, pairs: Pairs, match: Ints) -> NDArray[np.bool_]:
        """Return which pairs' events no better detection takes than that of the pair: (P,)."""
        rank = self.metric_events.rank
        taken_by = np.append(rank, len(rank))[match]  # of an event without a match: worse than all
        return taken_by[pairs.event] > rank[pairs.detection]

    def _causes(
        self, wrong: NDArray[np.bool_], own: Pairs, own_free: NDArray[np.bool_], other: Pairs, radius: int
    ) -> Ints:
        """Apply the rules from the last to the first, so that the first that holds stays."""
        cause = np.full(len(wrong), BACKGROUND)
        cause[other.detection] = WRONG_CLASS
        cause[own.detection] = DUPLICATE
        cause[own.detection[own_free]] = DISPLACED
        cause[own.detection[np.abs(own.distance) <= radius]] = DUPLICATE
        cause[~wrong] = TRUE_POSITIVE
        return cause

    def _best_aimed(self, pairs: Pairs) -> Ints:
        """Aim each detection of the pairs at its nearest event; return the best of each event, (E,), -1 for none."""
        label, frame = self.events.label[pairs.event], self.events.frame[pairs.event]
        pairs = pairs.take(np.lexsort((label, frame, np.abs(pairs.distance), pairs.detection)))
        pairs = pairs.take(np.diff(pairs.detection, prepend=-1) != 0)
        worst_first = pairs.take(np.argsort(-self.metric_events.rank[pairs.detection], kind="stable"))
        best = np.full(len(self.events), -1)
        best[worst_first.event] = worst_first.detection
        return best

    def _changed(self, kept: NDArray[np.bool_], added: EventColumns, rank: Ints) -> MetricEvents:
        """Return what the metric sees of the ``kept`` detections and ``added`` ones; of equal cells the better."""
        position, by_half = np.append(self.detections.positions(), np.iinfo(np.int64).max), self._by_half
        at = np.searchsorted(position, added.positions())
        there = (position[at] == added.positions()) & np.append(kept, False)[at]
        worse = there & (np.append(self.metric_events.rank, 0)[at] < rank)
        added = added.take(np.flatnonzero(~worse)[np.lexsort((-rank[~worse], added.half[~worse]))])
        both = zip(self._halves(self.detections.take(by_half[kept[by_half]])), self._halves(added), strict=True)
        changed = {}
        for half, parts in zip(self.halves, both, strict=True):
            label, time, confidence = map(np.concatenate, zip(*parts, strict=True))
            changed[half] = HalfPredictions(label, time, confidence)
        return collect_events(self._labels, changed, self.task)

    def _halves(self, columns: EventColumns) -> Iterator[tuple[NDArray, ...]]:
        """Split columns that stand in the order of halves into label, time and confidence of each half."""
        cuts = np.searchsorted(columns.half, np.arange(1, len(self.halves)))
        time = (columns.frame + 0.5) / self.task.fps
        return zip(*(np.split(column, cuts) for column in (columns.label, time, columns.value)), strict=True)
