"""Which labels are probably wrong: where predictions that are mostly right say something else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spotter.evaluation.columns import Floats, Ints
from spotter.evaluation.error_causes import BACKGROUND, DISPLACED, TRUE_POSITIVE, WRONG_CLASS, Diagnosis, ErrorAnalysis
from spotter.types import METRIC_THRESHOLDS

NO_LABEL, OTHER_TIME, OTHER_CLASS, NO_PREDICTION = range(4)
KINDS = ("no label here", "label at another time", "label of another class", "label without a prediction")
LEAST = 0.5  # chance that the predictions are right


@dataclass(frozen=True, slots=True, eq=False)
class LabelErrors:
    """Hold probable errors, (N,) each, the most probable first.

    kind : index into ``KINDS``
    half : index of the half
    label, time, team : what is probably right there; of a label without a prediction, that label itself
    event : the label that is probably wrong, as an index into the events of the analysis; -1 where one is missing
    chance : how often predictions are right where they are as confident, 0 … 1; of a label without a prediction, how
        often labels of its class have one
    """

    kind: Ints
    half: Ints
    label: Ints
    time: Floats
    team: Ints
    event: Ints
    chance: Floats

    def __len__(self) -> int:
        return len(self.kind)


def find_label_errors(errors: ErrorAnalysis, found: Diagnosis, threshold: float) -> LabelErrors:
    """Return the disagreements in which predictions are more probably right than labels.

    A prediction speaks against the labels where it reaches the threshold and is no duplicate, and with the precision of
    its class among the others that are as confident, by the rule of succession: (right + 1) / (all + 2). A label that
    no prediction is around speaks against itself with the recall of its class at the threshold; one whose action is not
    shown does not.

    threshold : confidence, for example of the best F1
    """
    detections, events = errors.detections, errors.events
    kinds = np.full(len(detections), -1)
    for cause, against_it in ((BACKGROUND, NO_LABEL), (DISPLACED, OTHER_TIME), (WRONG_CLASS, OTHER_CLASS)):
        kinds[found.cause == cause] = against_it
    against = np.flatnonzero((kinds >= 0) & (detections.value >= threshold))
    aimed = np.full(len(detections) + 1, -1)
    for deciding in (found.displaced, found.wrong):
        aimed[deciding[deciding >= 0]] = np.flatnonzero(deciding >= 0)
    chance = _precision(errors, found)[against]
    around = np.append(detections.value, -1.0)[found.around] >= METRIC_THRESHOLDS[1]
    alone = np.flatnonzero((errors.outcomes(found, threshold) == 3) & ~around & (events.value > 0))
    rows = detections.take(against), events.take(alone)
    columns = {
        name: np.concatenate([getattr(part, name) for part in rows]) for name in ("half", "label", "time", "team")
    }
    kind = np.concatenate([kinds[against], np.full(len(alone), NO_PREDICTION)])
    event = np.concatenate([aimed[against], alone])
    chance = np.concatenate([chance, _recall(errors, found, threshold)[events.label[alone]]])
    order = np.argsort(-chance, kind="stable")
    order = order[chance[order] >= LEAST]
    picked = {name: column[order] for name, column in columns.items()}
    return LabelErrors(kind[order], event=event[order], chance=chance[order], **picked)


def _precision(errors: ErrorAnalysis, found: Diagnosis) -> Floats:
    """Return, of each detection, how probably it is right, by those of its class that are more confident: (D,)."""
    detections = errors.detections
    right = found.cause == TRUE_POSITIVE
    order = np.lexsort((-detections.value, detections.label))
    label = detections.label[order]
    begins = np.flatnonzero(np.diff(label, prepend=-1))
    first = np.repeat(begins, np.diff(np.append(begins, len(label))))
    hits = np.cumsum(right[order])
    above = hits - np.where(first > 0, hits[first - 1], 0)
    out = np.empty(len(order))
    out[order] = (above - right[order] + 1) / (np.arange(len(order)) - first + 2)
    return out


def _recall(errors: ErrorAnalysis, found: Diagnosis, threshold: float) -> Floats:
    """Return the share of the labels of each class that are found, (C,)."""
    classes = len(errors.task.classes)
    hit: NDArray[np.bool_] = errors.outcomes(found, threshold) == 0
    total = np.bincount(errors.events.label, minlength=classes)
    return np.bincount(errors.events.label, hit, classes) / np.maximum(total, 1)
