"""Causes of errors: by hand on small cases, by rules on random ones, and what an oracle gains by mending them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.evaluation.average_map import average_precision, match
from spotter.evaluation.columns import count_thresholds
from spotter.evaluation.error_causes import (
    BACKGROUND,
    CAUSES,
    DISPLACED,
    DUPLICATE,
    ERRORS,
    OUTCOMES,
    TRUE_POSITIVE,
    WRONG_CLASS,
    ErrorAnalysis,
)
from spotter.tasks import Task
from spotter.types import METRIC_THRESHOLDS, Half, HalfPredictions, Spots
from tests.helpers.reports import matches

TASK = Task("toy", ("a", "b", "c"), "labels.json", 2, "tight_map")
HALF = Half("game", 1)


def spots(*rows: tuple[int, float]) -> dict[Half, Spots]:
    label, time = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.empty(0, int), np.empty(0))
    return {HALF: Spots(label.astype(np.int64), time.astype(float), np.ones(len(label), bool))}


def guesses(*rows: tuple[int, float, float]) -> dict[Half, HalfPredictions]:
    label, time, confidence = (np.array(column) for column in zip(*rows, strict=True))
    return {HALF: HalfPredictions(label.astype(np.int64), time.astype(float), confidence.astype(float))}


def causes(labels: dict[Half, Spots], predictions: dict[Half, HalfPredictions], tolerance: float = 4) -> list[str]:
    """Return the cause of each prediction, in the order of the predictions."""
    errors = ErrorAnalysis(labels, predictions, TASK)
    found = {
        (label, time): CAUSES[cause]
        for label, time, cause in zip(
            errors.detections.label, errors.detections.time, errors.diagnose(tolerance).cause, strict=True
        )
    }
    rows = predictions[HALF]
    return [found[label, time] for label, time in zip(rows.label, rows.time, strict=True)]


def test_each_cause() -> None:
    labels = spots((0, 100.0), (0, 300.0), (1, 500.0))
    predictions = guesses(
        (0, 101.0, 0.9),  # within 2 s of the label
        (0, 99.0, 0.8),  # so is this, but less confident
        (0, 104.0, 0.7),  # around a label that a better one takes
        (0, 304.0, 0.6),  # around a label that none takes
        (2, 500.5, 0.5),  # on a label of another class
        (2, 700.0, 0.4),
    )
    expected = ["true positive", "duplicate", "duplicate", "displaced", "wrong class", "background"]
    assert causes(labels, predictions) == expected


def test_a_better_prediction_that_is_off_is_displaced_and_not_a_duplicate() -> None:
    assert causes(spots((0, 100.0)), guesses((0, 104.0, 0.9), (0, 100.0, 0.3))) == ["displaced", "true positive"]


def test_outcomes_follow_the_threshold() -> None:
    labels = spots((0, 100.0), (0, 300.0), (1, 500.0), (2, 900.0))
    predictions = guesses((0, 104.0, 0.9), (0, 100.0, 0.3), (0, 305.0, 0.6), (2, 499.0, 0.5))
    errors = ErrorAnalysis(labels, predictions, TASK)
    found = errors.diagnose(4)
    outcomes = [[OUTCOMES[outcome] for outcome in errors.outcomes(found, threshold)] for threshold in (0.2, 0.55, 0.95)]
    assert outcomes == [
        ["found", "displaced", "wrong class", "missed"],
        ["displaced", "displaced", "missed", "missed"],
        ["missed", "missed", "missed", "missed"],
    ]


def test_one_prediction_explains_one_label() -> None:
    errors = ErrorAnalysis(spots((0, 100.0), (0, 108.0)), guesses((0, 105.0, 0.9)), TASK)
    assert [OUTCOMES[outcome] for outcome in errors.outcomes(errors.diagnose(4), 0.5)] == ["missed", "displaced"]


def test_an_oracle_that_mends_all_of_one_kind_leaves_a_perfect_score() -> None:
    labels = spots((0, 100.0), (1, 200.0), (2, 300.0))
    right = [(0, 100.0, 1.0), (1, 200.0, 1.0), (2, 300.0, 1.0)]
    broken = {
        "missed": right[:2],
        "displaced": [*right[:2], (2, 305.0, 1.0)],
        "wrong class": [*right[:2], (1, 300.0, 1.0)],
        "duplicate": [*right, (2, 301.0, 1.0), (1, 204.5, 1.0)],
        "background": [*right, (0, 900.0, 1.0)],
    }
    for error, rows in broken.items():
        errors = ErrorAnalysis(labels, guesses(*rows), TASK)
        found = errors.diagnose(4)
        assert errors.precision((4,)).mean() < 1, error
        for other in ERRORS:
            mended = errors.precision_without(other, found, 0.5, (4,)).mean()
            assert (mended == pytest.approx(1)) == (other == error), (error, other)


def test_predictions_without_labels_are_all_background() -> None:
    errors = ErrorAnalysis(spots(), guesses((0, 100.0, 0.9)), TASK)
    found = errors.diagnose(4)
    assert found.cause.tolist() == [BACKGROUND]
    assert all(errors.precision_without(error, found, 0.5, (4,)).mean() == 0 for error in ERRORS)


def test_nothing_predicted_is_all_missed() -> None:
    errors = ErrorAnalysis(spots((0, 100.0)), {}, TASK)
    found = errors.diagnose(4)
    assert errors.outcomes(found, 0.0).tolist() == [OUTCOMES.index("missed")]
    assert errors.precision_without("missed", found, 0.5, (4,))[0, 0] == pytest.approx(1)
    assert 0 <= errors.best_threshold(found) < len(METRIC_THRESHOLDS)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[dict[Half, Spots], dict[Half, HalfPredictions], float]:
    """Return crowded halves, where events and detections compete, and a tolerance."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels, predictions = {}, {}
    for number in (1, 2):
        size, predicted = rng.integers(0, 14), rng.integers(0, 40)
        moments, length = rng.integers(0, 90, 60) / 2, rng.choice([10, 45])
        labels[Half("game", number)] = Spots(
            rng.integers(0, 3, size), np.sort(moments[:size] % length), rng.random(size) > 0.3
        )
        predictions[Half("game", number)] = HalfPredictions(
            rng.integers(0, 3, predicted),
            rng.integers(0, 2 * length, predicted) / 2,
            rng.choice([-1, np.nan, 0, 0.2, 0.5, 0.7, 1, rng.random()], predicted),
        )
    return labels, predictions, draw(st.sampled_from([1, 2, 5, 12]))


@given(scenes())
def test_causes_follow_their_definition(scene: tuple[dict, dict, float]) -> None:
    labels, predictions, tolerance = scene
    errors = ErrorAnalysis(labels, predictions, TASK)
    found, events, detections = errors.diagnose(tolerance), errors.events, errors.detections
    assert (len(events), len(detections)) == (len(errors.metric_events.event), len(errors.metric_events.detection))
    assert ((found.cause == TRUE_POSITIVE) == match(errors.metric_events, tolerance)).all()
    rank, reach = errors.metric_events.rank, int(tolerance)  # at 2 frames a second
    for row in np.flatnonzero(found.cause != TRUE_POSITIVE):
        far = np.where(events.half == detections.half[row], np.abs(events.frame - detections.frame[row]), 10**6)
        own = events.label == detections.label[row]
        taken = np.array([match >= 0 and rank[match] < rank[row] for match in found.match], bool)
        around = own & (far <= 3 * reach)
        if around.any():
            expected = DUPLICATE if (own & (far <= reach)).any() or taken[around].all() else DISPLACED
        else:
            expected = WRONG_CLASS if (~own & (far <= reach)).any() else BACKGROUND
        assert found.cause[row] == expected


@given(scenes(), st.sampled_from(METRIC_THRESHOLDS.tolist()))
def test_a_threshold_is_the_same_as_predictions_left_out(scene: tuple[dict, dict, float], threshold: float) -> None:
    labels, predictions, tolerance = scene
    errors = ErrorAnalysis(labels, predictions, TASK)
    found = errors.diagnose(tolerance)
    shown = errors.detections.value >= threshold
    rows = errors.detections.take(shown)
    left = {
        half: HalfPredictions(*(column[rows.half == index] for column in (rows.label, rows.time, rows.value)))
        for index, half in enumerate(errors.halves)
    }
    again = ErrorAnalysis(labels, left, TASK)
    anew = again.diagnose(tolerance)
    assert anew.cause.tolist() == found.cause[shown].tolist()
    outcomes, expected = again.outcomes(anew, threshold), errors.outcomes(found, threshold)
    assert outcomes.tolist() == expected.tolist()
    assert (
        count_thresholds(errors.detections.value) > METRIC_THRESHOLDS.tolist().index(threshold)
    ).tolist() == shown.tolist()


@given(scenes())
def test_order_of_halves_and_labels_changes_nothing(scene: tuple[dict, dict, float]) -> None:
    labels, predictions, tolerance = scene
    shuffled = {
        half: Spots(rows.label[order], rows.time[order], rows.visible[order])
        for half, rows in reversed(labels.items())
        for order in [np.argsort(-rows.time, kind="stable")]
    }
    one, other = (ErrorAnalysis(each, predictions, TASK).diagnose(tolerance) for each in (labels, shuffled))
    for name in ("cause", "match", "displaced", "wrong", "around"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()


@given(scenes())
def test_dropping_errors_never_costs(scene: tuple[dict, dict, float]) -> None:
    labels, predictions, tolerance = scene
    errors = ErrorAnalysis(labels, predictions, TASK)
    found, base = errors.diagnose(tolerance), errors.precision((tolerance,))
    assert (base == average_precision(errors.metric_events, (tolerance,))[:, 0]).all()
    for error in ("duplicate", "background"):
        assert (errors.precision_without(error, found, 0.5, (tolerance,)) >= base).all()


@given(scenes())
def test_each_label_has_one_outcome_and_each_detection_aims_at_one(scene: tuple[dict, dict, float]) -> None:
    labels, predictions, tolerance = scene
    errors = ErrorAnalysis(labels, predictions, TASK)
    found = errors.diagnose(tolerance)
    for rows, cause in ((found.match, TRUE_POSITIVE), (found.displaced, DISPLACED), (found.wrong, WRONG_CLASS)):
        aimed = rows[rows >= 0]
        assert len(set(aimed.tolist())) == len(aimed)
        assert (found.cause[aimed] == cause).all()


def test_causes_of_a_season_are_those_of_its_games() -> None:
    labels, predictions = matches(Task.load("soccernet-v2"), 3)
    whole = ErrorAnalysis(labels, predictions, Task.load("soccernet-v2"))
    together = np.bincount(whole.diagnose(5).cause, minlength=len(CAUSES))
    apart = sum(
        np.bincount(ErrorAnalysis({half: rows}, predictions, whole.task).diagnose(5).cause, minlength=len(CAUSES))
        for half, rows in labels.items()
    )
    assert together.tolist() == apart.tolist()
    assert (together > 0).all()


@given(scenes())
def test_mending_what_is_not_wrong_changes_nothing(scene: tuple[dict, dict, float]) -> None:
    labels, predictions, tolerance = scene
    errors = ErrorAnalysis(labels, predictions, TASK)
    found = errors.diagnose(tolerance)
    happened = {CAUSES[cause] for cause in found.cause} | {OUTCOMES[outcome] for outcome in errors.outcomes(found, 0.5)}
    for error in set(ERRORS) - happened:
        assert (errors.precision_without(error, found, 0.5, (1, tolerance)) == errors.precision((1, tolerance))).all()
