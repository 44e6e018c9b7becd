"""All numbers that a report shows of scored predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spotter.evaluation.average_map import TOLERANCES, average_map, average_precision, precision_recall
from spotter.evaluation.columns import Floats, Ints
from spotter.evaluation.error_causes import ERRORS, OUTCOMES, TRUE_POSITIVE, Diagnosis, ErrorAnalysis
from spotter.evaluation.events import ALL, SHOWN, UNSHOWN
from spotter.evaluation.frames import score_names
from spotter.evaluation.metrics import monitored_tolerances
from spotter.tasks import Task
from spotter.types import METRIC_THRESHOLDS, Half, HalfPredictions, Metrics, Spots

JUDGED = (1, 2, 5, 10, 30)  # tolerances, in seconds, at which errors are sorted
DELTAS = tuple(range(1, 61))


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Hold what is wrong at one tolerance.

    threshold : number of the metric's threshold with the best F1 over all classes
    precision, recall : (C + 1, 200) at the metric's thresholds; the last row is of all classes together
    costs : for each of ``ERRORS`` what the AP of each class gains without it, (2, C): in the score that the task is
        judged by, and in the mAP at this tolerance
    """

    tolerance: int
    errors: Diagnosis
    threshold: int
    precision: Floats
    recall: Floats
    costs: dict[str, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Hold the scores, curves and errors of predictions.

    spots : (3, C), how many events each class has: all, shown, unshown
    delta : (60, 3, C), AP at tolerances of 1 … 60 s
    """

    metrics: Metrics
    errors: ErrorAnalysis
    judged: tuple[Judged, ...]
    spots: Ints
    delta: Floats

    @property
    def default(self) -> Judged:
        """Return what is wrong at the largest judged tolerance that the task's own score contains, or the smallest."""
        most = max(monitored_tolerances(self.errors.task))
        return next((judged for judged in reversed(self.judged) if judged.tolerance <= most), self.judged[0])

    def outcomes(self, judged: Judged) -> Ints:
        """Return the outcome of every event at the threshold of ``judged``."""
        return self.errors.outcomes(judged.errors, float(METRIC_THRESHOLDS[judged.threshold]))

    def outcome_counts(self, judged: Judged) -> Ints:
        """Count events by (class, outcome)."""
        table = np.zeros((len(self.errors.task.classes), len(OUTCOMES)), np.int64)
        np.add.at(table, (self.errors.events.label, self.outcomes(judged)), 1)
        return table

    def cause_counts(self, judged: Judged) -> Ints:
        """Count detections that reach the threshold by (class, cause)."""
        table = np.zeros((len(self.errors.task.classes), 5), np.int64)
        shown = self.errors.detections.value >= METRIC_THRESHOLDS[judged.threshold]
        np.add.at(table, (self.errors.detections.label[shown], judged.errors.cause[shown]), 1)
        return table


def analyse(
    labels: Mapping[Half, Spots],
    predictions: Mapping[Half, HalfPredictions],
    task: Task,
    metrics: Metrics | None = None,
) -> Analysis:
    """Score predictions and sort their errors; ``metrics`` that are known already are not computed again."""
    if metrics is None or not {*TOLERANCES, *score_names(task)} <= set(metrics):
        metrics = {**average_map(labels, predictions, task), **(metrics or {})}
    errors = ErrorAnalysis(labels, predictions, task)
    judged = tuple(_judge(errors, tolerance) for tolerance in JUDGED)
    return Analysis(
        metrics,
        errors,
        judged,
        errors.metric_events.event_counts[[ALL, SHOWN, UNSHOWN]],
        average_precision(errors.metric_events, DELTAS),
    )


def _judge(errors: ErrorAnalysis, tolerance: int) -> Judged:
    found = errors.diagnose(tolerance)
    threshold = errors.best_threshold(found)
    precision, recall = (curves[ALL] for curves in precision_recall(errors.metric_events, tolerance))
    true = errors.metric_events.count_reaching(found.cause == TRUE_POSITIVE)[ALL].sum(axis=0)
    detections = errors.metric_events.detection_counts[ALL].sum(axis=0)
    together = true / np.maximum(detections, 1), true / max(len(errors.events), 1)
    own = monitored_tolerances(errors.task)
    seconds = [*own, tolerance]
    base = _both(errors.precision(seconds))
    best = float(METRIC_THRESHOLDS[threshold])
    costs = {error: _both(errors.precision_without(error, found, best, seconds)) - base for error in ERRORS}
    precision, recall = (np.vstack([curves, both]) for curves, both in zip((precision, recall), together, strict=True))
    return Judged(tolerance, found, threshold, precision, recall, costs)


def _both(precision: Floats) -> Floats:
    """Return the average over all tolerances but the last, as the metric averages, and the last: (2, C)."""
    *own, at = precision
    return np.stack([np.trapezoid(own, axis=0) / (len(own) - 1) if len(own) > 1 else own[0], at])
