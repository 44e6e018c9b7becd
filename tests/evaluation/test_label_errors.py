"""Errors that are planted in labels are found, and right labels are hardly doubted."""

from __future__ import annotations

import numpy as np
import pytest

from spotter.evaluation.error_causes import ErrorAnalysis
from spotter.evaluation.label_errors import KINDS, NO_LABEL, NO_PREDICTION, OTHER_CLASS, OTHER_TIME, find_label_errors
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

TASK = Task.load({"name": "t", "classes": ["A", "B", "C"], "label_file": "L.json", "fps": 2, "monitor": "tight_map"})
HALF = Half("l/s/g", 1)


def scene(seed: int = 0) -> tuple[Spots, HalfPredictions]:
    """Return right labels, 20 s apart, and predictions that find nearly all of them, with some false alarms."""
    rng = np.random.default_rng(seed)
    time = 20.0 * np.arange(1, 121)
    label = rng.integers(0, 3, 120)
    found = np.concatenate([label, rng.integers(0, 3, 20)])
    moments = np.concatenate([time + rng.normal(0, 0.2, 120), rng.uniform(2500, 4000, 20)]).round(3)
    confidence = np.concatenate([rng.uniform(0.5, 1, 120), rng.uniform(0.05, 0.3, 20)])
    return Spots(label, time, np.ones(120, bool)), HalfPredictions(found, moments, confidence)


def doubted(labels: Spots, predictions: HalfPredictions, threshold: float = 0.4) -> list[tuple[int, float, str]]:
    errors = ErrorAnalysis({HALF: labels}, {HALF: predictions}, TASK)
    found = find_label_errors(errors, errors.diagnose(2), threshold)
    assert (np.diff(found.chance) <= 0).all()
    assert ((found.chance >= 0.5) & (found.chance <= 1)).all()
    rows = zip(found.kind, found.time, found.label, found.event, strict=True)
    for kind, time, label, event in rows:
        if event >= 0:
            near = errors.events.time[event] - time
            assert kind != NO_LABEL
            assert abs(near) <= 3
            assert (errors.events.label[event] == label) == (kind != OTHER_CLASS)
    rows = zip(found.kind, found.time, found.label, strict=True)
    return sorted((int(kind), round(float(time) / 20) * 20.0, TASK.classes[label]) for kind, time, label in rows)


def test_right_labels_are_not_doubted() -> None:
    assert doubted(*scene()) == []


def test_planted_errors_are_found() -> None:
    labels, predictions = scene()
    label, time = labels.label.copy(), labels.time.copy()
    label[10] = (label[10] + 1) % 3
    time[20] += 2.5
    kept = np.delete(np.arange(120), 30)
    extra = Spots(np.append(label[kept], 1), np.append(time[kept], 2450.0), np.ones(120, bool))
    names = [TASK.classes[index] for index in labels.label]
    assert doubted(extra, predictions) == sorted(
        [
            (OTHER_CLASS, 220.0, names[10]),
            (OTHER_TIME, 420.0, names[20]),
            (NO_LABEL, 620.0, names[30]),
            (NO_PREDICTION, 2440.0, "B"),
        ]
    )


def test_what_is_not_shown_and_what_hardly_anybody_finds_is_not_doubted() -> None:
    labels, predictions = scene()
    hidden = Spots(np.append(labels.label, 0), np.append(labels.time, 2450.0), np.append(labels.visible, False))
    assert doubted(hidden, predictions) == []
    poor = predictions.take(np.arange(0, 140, 3))
    assert all(kind != NO_PREDICTION for kind, *_ in doubted(labels, poor))


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_nothing_at_all_is_no_error(threshold: float) -> None:
    assert doubted(Spots.empty(), HalfPredictions.empty(), threshold) == []
    assert doubted(scene()[0], HalfPredictions.empty(), threshold) == []
    assert len(KINDS) == 4
