"""F1 equals a count by hand, thresholds are judged on games that did not choose them, and six mAPs make one score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.evaluation.average_map import average_map
from spotter.evaluation.f1 import f1_scores, max_frames
from spotter.tasks import Task
from spotter.types import METRIC_THRESHOLDS, Half, HalfPredictions, Spots

TASK = Task.load({"name": "t", "classes": ["A", "B"], "label_file": "L.json", "fps": 25, "monitor": "map_at_1"})


def spots(label: list[int], frame: list[int]) -> Spots:
    return Spots(np.array(label, np.int64), np.array(frame) / 25, np.ones(len(label), bool))


def found(label: list[int], frame: list[int], confidence: list[float]) -> HalfPredictions:
    return HalfPredictions(np.array(label, np.int64), np.array(frame) / 25, np.array(confidence, float))


def count_by_hand(
    truth: list[tuple[int, int]], rows: list[tuple[int, int, float]], frames: int, threshold: float
) -> tuple[int, int, int]:
    """Return true positives, predictions and labels, one prediction after the other."""
    left, true = list(truth), 0
    kept = [row for row in sorted(rows, key=lambda row: (-row[2], row[1])) if row[2] >= threshold]
    for label, frame, _ in kept:
        near = sorted((abs(frame - at), at) for k, at in left if k == label and abs(frame - at) <= frames)
        if near:
            left.remove((label, near[0][1]))
            true += 1
    return true, len(kept), len(truth)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 60)), max_size=12, unique=True),
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 60), st.integers(0, 20)), max_size=15, unique_by=lambda r: r[:2]
    ),
    st.integers(0, 6),
    st.sampled_from([0, 50, 99, 150]),
)
def test_micro_is_a_count_by_hand(
    truth: list[tuple[int, int]], rows: list[tuple[int, int, int]], frames: int, level: int
) -> None:
    scored = [(label, frame, step / 20) for label, frame, step in rows]
    half, threshold = Half("g", 1), float(METRIC_THRESHOLDS[level])
    labels = {half: spots([k for k, _ in truth], [at for _, at in truth])}
    given = {half: found([r[0] for r in scored], [r[1] for r in scored], [r[2] for r in scored])}
    form = f1_scores(labels, given, TASK, frames, threshold)
    true, predicted, total = count_by_hand(truth, scored, frames, threshold)
    assert form["micro"]["f1"] == pytest.approx(2 * true / max(predicted + total, 1))
    assert form["micro"]["precision"] == pytest.approx(true / max(predicted, 1))
    assert form["micro"]["recall"] == pytest.approx(true / max(total, 1))
    assert form["threshold"] == threshold
    present = [row["f1"] for row in form["per_class"].values() if row is not None]
    assert form["macro"] == pytest.approx(np.mean(present) if present else 0)


@pytest.mark.parametrize(("threshold", "found"), [(0.5, 1), (0.501, 0.5), (0.502, 0.5), (0.503, 0)])
def test_a_threshold_counts_as_it_is_given(threshold: float, found: float) -> None:
    half, label, time = Half("g", 1), np.zeros(2, int), np.array([10.0, 50.0])
    given = {half: HalfPredictions(label, time, np.array([0.5, 0.502]))}
    form = f1_scores({half: Spots(label, time, np.ones(2, bool))}, given, TASK, 5, threshold)
    assert form["threshold"] == threshold
    assert form["micro"]["recall"] == found


def test_thresholds_are_judged_on_games_that_did_not_choose_them() -> None:
    """Of class A all games agree; of B each game wants another threshold, which only its own labels know."""
    labels, given = {}, {}
    for game in range(6):
        half, at = Half(f"g{game}", 1), [100 * k for k in range(5)]
        labels[half] = spots([0] * 5 + [1] * 5, at * 2)
        true = [0.9] * 5 + [0.2 + 0.1 * game] * 5
        false = [0.1] * 5 + [0.15 + 0.1 * game] * 20
        label, wrong = [0] * 5 + [1] * 5 + [0] * 5 + [1] * 20, [50 + 100 * k for k in range(25)]
        given[half] = found(label, at * 2 + wrong, true + false)
    form = f1_scores(labels, given, TASK)
    best = form["best"]
    assert 0.1 < best["thresholds"]["A"] <= 0.9
    assert best["held_out"]["macro"] < best["macro"]
    assert best["unstable"] == ["B"]
    assert form["frames"] == max_frames(TASK) == 12


def test_a_single_game_judges_nothing_and_few_labels_choose_nothing() -> None:
    half = Half("g", 1)
    form = f1_scores({half: spots([0], [10])}, {half: found([0, 1], [10, 20], [0.5, 0.9])}, TASK)
    assert form["best"]["held_out"] is None
    assert form["per_class"]["B"] is None
    two = {Half(f"g{n}", 1): spots([0, 1], [10, 30]) for n in range(2)}
    right = {half: found([0, 1], [10, 30], [0.5, 0.9]) for half in two}
    assert f1_scores(two, right, TASK)["best"]["unstable"] == ["A", "B"]


def test_without_labels_or_predictions_all_is_zero() -> None:
    half = Half("g", 1)
    for labels, rows in (({half: Spots.empty()}, {half: found([0], [1], [0.5])}), ({half: spots([0], [1])}, {})):
        form = f1_scores(labels, rows, TASK)
        assert form["micro"]["f1"] == form["macro"] == form["best"]["micro"] == 0


def test_six_maps_make_the_score_of_anticipation() -> None:
    clips = {Half(f"clip_{n}", 1): spots([0, 1], [750 + 20 * n, 800 + 10 * n]) for n in range(3)}
    given = {half: found([0, 1, 0], [760, 800, 850], [0.9, 0.4, 0.0]) for half in clips}
    ahead = Task.load({**TASK.to_dict(), "metric": "anticipation", "monitor": "anticipation"})
    form = average_map(clips, given, ahead)
    official = average_map(clips, {half: rows.take(rows.confidence > 0) for half, rows in given.items()}, TASK)
    names = [f"at_{seconds}" for seconds in range(1, 6)]
    for name in names:
        assert form[name]["map"] == pytest.approx(official[name]["map"], abs=1e-12)
    assert form["at_inf"]["map"] == 1, "all lie in the five seconds"
    assert form["anticipation"]["map"] == pytest.approx(np.mean([form[name]["map"] for name in (*names, "at_inf")]))
