"""Suppression equals taking the best spot and decaying its neighbours, one by one."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.errors import UserError
from spotter.evaluation.average_map import average_map
from spotter.inference.decode import Candidates, apply_displacement, decode, round_confidence, suppress
from spotter.io.scores import Scores
from spotter.settings import DECAYS, Postprocess
from spotter.tasks import Task
from spotter.types import METRIC_THRESHOLDS, Half, HalfPredictions, Spots, metric_frame

NONE = Postprocess("nms", 0.0)


def one_by_one(confidence: list[float], method: str, radius: float, threshold: float) -> dict[int, float]:
    """Suppress one class by the definition; ``radius`` is in cells."""
    living = {cell: value for cell, value in enumerate(confidence) if value >= max(threshold, 0)}
    taken = {}
    while living:
        top = max(living, key=lambda cell: (living[cell], -cell))
        taken[top] = living.pop(top)
        for cell in list(living):
            apart = abs(cell - top)
            if method == "nms" and apart <= radius:
                del living[cell]
            elif method != "nms":
                power = 2 if method == "quadratic_nms" else 1
                living[cell] *= min(1.0, apart / radius) ** power if radius else 1.0
                if living[cell] < threshold:
                    del living[cell]
    return taken


def candidates_of(confidence: np.ndarray, fps: float = 1.0) -> Candidates:
    """Return candidates with (T, K) confidences whose spots lie on the cells."""
    time = np.rint(1000 * np.arange(len(confidence)) / fps) / 1000
    return Candidates(confidence, np.broadcast_to(time[:, None], confidence.shape), fps)


def as_cells(predictions: HalfPredictions, fps: float = 1.0) -> dict[tuple[int, int], float]:
    """Return confidence by (class, cell)."""
    cells = np.rint(predictions.time * fps).astype(int).tolist()
    return dict(zip(zip(predictions.label.tolist(), cells, strict=True), predictions.confidence.tolist(), strict=True))


def scores_of(confidence: list[list[float]], displacement: list[list[float]] | None = None, fps: float = 2.0) -> Scores:
    """Return scores with (T, K) confidences."""
    with np.errstate(divide="ignore"):
        values = np.array(confidence, np.float64)
        logits = np.log(values / (1 - values)).astype(np.float32)
    return Scores(logits, None if displacement is None else np.array(displacement, np.float32), fps)


# With confidences in sixty-fourths and a reach of a power of two every product is exact, so ties stay ties.
ties = st.lists(st.sampled_from([-1, 0, 8, 8, 16, 16, 32, 48, 63]).map(lambda part: part if part < 0 else part / 64))


@given(ties, st.sampled_from([0.0, 1 / 16, 0.25, 0.5]), st.integers(0, 9))
def test_hard_suppression_equals_one_by_one(confidence: list[float], threshold: float, radius: int) -> None:
    candidates = candidates_of(np.array([confidence]).T)
    found = as_cells(suppress(candidates, Postprocess("nms", 2.0 * radius, threshold), 1))
    assert found == {(0, cell): value for cell, value in one_by_one(confidence, "nms", radius, threshold).items()}


@given(ties, st.sampled_from([0.0, 1 / 16, 0.25, 0.5]), st.sampled_from([0, 1, 2, 4, 8]))
def test_soft_suppression_equals_one_by_one(confidence: list[float], threshold: float, reach: int) -> None:
    candidates = candidates_of(np.array([confidence]).T)
    found = as_cells(suppress(candidates, Postprocess("soft_nms", float(reach), threshold), 1))
    assert found == {(0, cell): value for cell, value in one_by_one(confidence, "soft_nms", reach, threshold).items()}


@settings(max_examples=50)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(DECAYS),
    st.sampled_from([1.0, 2.0, 25 / 12, 25.0]),
    st.sampled_from([[0, 0, 0], [0, 1, 0], [0, 1, 2]]),
)
def test_random_halves_equal_one_by_one(seed: int, method: str, fps: float, shared: list[int]) -> None:
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(size=(int(rng.integers(1, 150)), 3)) ** 3
    windows = tuple(rng.uniform(0, 20 / fps, 3)[shared].tolist())
    found = as_cells(suppress(candidates_of(confidence, fps), Postprocess(method, windows, 0.001), 1000), fps)
    expected = {}
    for label, window in enumerate(windows):
        reach = window * fps if method == "soft_nms" else window * fps / 2
        for cell, value in one_by_one(confidence[:, label].tolist(), method, reach, 0.001).items():
            expected[label, cell] = value
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[key], expected[key], rel_tol=1e-12) for key in found)


def test_soft_weights_are_the_distance_over_the_window() -> None:
    found = decode(scores_of([[0.5], [0.8], [0.5], [0.1], [0.1], [0.5]]), Postprocess("soft_nms", 2.0, 0.04), 2)
    expected = {(0, 0): 0.5 / 4, (0, 1): 0.8, (0, 2): 0.5 * (1 / 4) * (3 / 4) * (2 / 4), (0, 5): 0.5}
    assert as_cells(found, 2.0) == pytest.approx(expected)


def test_quadratic_weights_are_the_squared_distance_over_half_the_window() -> None:
    """As ASTRA's: within ±2 s of the best, by (distance / 2 s)²; what lies farther is left alone."""
    scores = scores_of([[0.4], [0.4], [0.0], [0.0], [0.8]])
    found = suppress(apply_displacement(scores), Postprocess("quadratic_nms", 4.0, 0.0), 2)
    expected = {(0, 0): 0.4, (0, 1): 0.4 * (3 / 4) ** 2 * (1 / 4) ** 2, (0, 2): 0.0, (0, 3): 0.0, (0, 4): 0.8}
    assert as_cells(found, 2.0) == pytest.approx(expected)


def test_window_of_zero_keeps_every_anchor() -> None:
    scores = scores_of([[0.1, 0.9], [0.2, 0.9], [0.3, 0.9]])
    for method in DECAYS:
        assert len(decode(scores, Postprocess(method, 0.0), 2)) == 6


def test_displacement_moves_an_anchor_by_a_fraction_and_keeps_its_exact_time() -> None:
    scores = scores_of([[0.1], [0.2], [0.9], [0.3]], [[0.0], [0.0], [-1.3], [0.0]])
    found = decode(scores, Postprocess("nms", 4.0), 2)
    assert found.time.tolist() == [0.35]
    assert found.confidence[0] == pytest.approx(0.9)


def test_the_most_confident_of_anchors_that_meet_stays() -> None:
    candidates = apply_displacement(scores_of([[0.1], [0.9], [0.3], [0.9]], [[1.5], [0.25], [-0.75], [-1.75]]))
    assert candidates.confidence[:, 0].tolist() == [-1, pytest.approx(0.9), -1, -1]
    assert candidates.time[1, 0] == 0.625  # the earlier of equals


def test_anchors_stay_in_the_half() -> None:
    found = decode(scores_of([[0.5], [0.6], [0.7]], [[-9.0], [99.0], [np.inf]]), NONE, 25)
    assert found.time.tolist() == [0.0, 1.0]
    early = Scores(np.zeros((3, 1), np.float32), np.array([[-2.5], [0], [0]], np.float32), fps=1.0, offset=2.5)
    assert decode(early, NONE, 25).time.tolist() == [0.0, 3.5, 4.5]


def test_times_are_whole_milliseconds_and_every_anchor_keeps_its_own_cell() -> None:
    found = decode(Scores(np.zeros((300, 1), np.float32), None, fps=29.97, offset=0.01), NONE, 1000)
    assert len(found) == 300
    assert np.array_equal(found.time, np.array([round(1000 * time) for time in found.time]) / 1000)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 25]))
def test_one_prediction_for_a_class_and_metric_frame_by_time(seed: int, metric_fps: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 80)), 3)
    scores = Scores(rng.normal(size=shape).astype("f4"), rng.normal(size=shape).astype("f4"), 12.5, 0.3)
    candidates = apply_displacement(scores)
    everything, found = suppress(candidates, NONE, 1000), suppress(candidates, NONE, metric_fps)
    best: dict[tuple[int, int], float] = {}
    for label, frame, confidence in zip(
        everything.label, metric_frame(everything.time, metric_fps), everything.confidence, strict=True
    ):
        best[label, frame] = max(best.get((label, frame), 0), confidence)
    keys = list(zip(found.label, metric_frame(found.time, metric_fps), strict=True))
    assert dict(zip(keys, found.confidence, strict=True)) == best
    assert len(set(keys)) == len(found)
    written = decode(scores, NONE, metric_fps)
    assert list(zip(written.time, written.label, strict=True)) == sorted(zip(found.time, found.label, strict=True))


@pytest.mark.parametrize("logit", [np.nan, -1000.0, 1000.0])
def test_extreme_logits_pass_without_a_warning(logit: float) -> None:
    scores = Scores(np.full((5, 2), logit, np.float32), np.full((5, 2), np.nan, np.float32), 2.0)
    with warnings.catch_warnings(action="error"):
        found = decode(scores, NONE, 2)
    assert len(found) == (0 if np.isnan(logit) else 10)


def test_an_empty_half_has_no_predictions() -> None:
    assert len(decode(Scores(np.zeros((0, 3), np.float32), None, 2.0), NONE, 2)) == 0


def test_postprocess_survives_plain_values() -> None:
    for window in (4.0, [1.0, 2.0]):
        plain = {"method": "soft_nms", "window": window, "threshold": 1e-5}
        assert Postprocess.load(plain, classes=2).to_dict() == plain
    assert Postprocess.load({"method": "nms", "window": 20}).windows(2) == (20.0, 20.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "hard"}, "postprocess.method: 'hard' is unknown: give one of nms, soft_nms"),
        ({"radius": 3}, "unknown key 'radius'"),
        ({"window": -1}, "postprocess.window: expected a number of at least 0, found -1"),
        ({"window": [1, "2"]}, "postprocess.window: expected a number of at least 0, found '2'"),
        ({"window": [1, 2, 3]}, "postprocess.window has 3 entries: give one for all 2 classes or each"),
        ({"threshold": float("nan")}, "postprocess.threshold: expected a number from 0 to 1, found nan"),
        ({"threshold": 1.5}, "postprocess.threshold: expected a number from 0 to 1, found 1.5"),
    ],
)
def test_wrong_postprocess_is_told(change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message.replace("?", ".")):
        Postprocess.load({"method": "nms", "window": 1.0} | change, classes=2)


def test_missing_key_is_told() -> None:
    with pytest.raises(UserError, match="postprocess lacks 'window'"):
        Postprocess.load({"method": "nms"})


@pytest.mark.parametrize("content", ["x" * 1000, ["x"] * 1000, {f"x{n}": 1 for n in range(1000)}, None])
def test_what_is_no_suppression_is_refused_in_one_short_line(content: object) -> None:
    with pytest.raises(UserError, match=r"postprocess .*method, window, threshold, smooth") as caught:
        Postprocess.load(content)
    assert len(str(caught.value)) < 400


def one_class(*confidence: float) -> HalfPredictions:
    """Return predictions a second apart."""
    rows = np.array(confidence)
    return HalfPredictions(np.zeros(len(rows), np.int64), np.arange(len(rows), dtype=float), rows)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 1e-30, 1 / 3, 0.999981, 1e-5 / 3])
def test_confidence_is_rounded_to_five_digits(confidence: float) -> None:
    expected = float(f"{confidence:.5g}") if confidence > 1e-22 else 0.0
    assert round_confidence(one_class(confidence)).confidence.tolist() == [expected]


def test_confidence_keeps_the_digits_that_a_score_depends_on() -> None:
    alike = [0.3333331, 0.3333332, 0.3333332, 0.25]
    assert round_confidence(one_class(*alike)).confidence.tolist() == alike
    assert round_confidence(one_class(*(2 * [1 / 3]))).confidence.tolist() == [0.33333, 0.33333]
    for below in (0.999999, float(np.nextafter(METRIC_THRESHOLDS[40], 0))):
        assert round_confidence(one_class(below)).confidence.tolist() == [below]


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-7, 1e-5, 0.01, 1.0]))
def test_rounding_changes_no_score(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    task = Task("toy", ("a", "b"), "labels.json", 2, "tight_map")
    labels = {Half("game", 1): Spots(rng.integers(0, 2, 20), rng.integers(0, 60, 20) / 2, rng.random(20) > 0.3)}
    moments, low = np.arange(120) / 2, rng.uniform(0, 1 - spread / 2)
    confidence = np.clip(low + spread * rng.random(120), 0, 1)
    exact = HalfPredictions(rng.integers(0, 2, 120), moments, rng.choice(confidence, 120))
    rounded = round_confidence(exact)
    assert average_map(labels, {Half("game", 1): rounded}, task) == average_map(labels, {Half("game", 1): exact}, task)


def test_most_decoded_confidences_have_five_digits() -> None:
    logits = np.random.default_rng(0).normal(-4, 8, (500, 3)).astype(np.float32)
    confidence = decode(Scores(logits, None, 2.0), NONE, 2).confidence
    assert np.mean([value == float(f"{value:.5g}") for value in confidence.tolist()]) > 0.9
