"""mAP by tolerances in frames: hand-made cases, and a plain reference, one detection after the other."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from spotter.evaluation.average_map import average_map
from spotter.evaluation.bootstrap import compare_systems, score_resamples
from spotter.evaluation.frames import frame_precision, frame_scores, match_nearest, rank_detections
from spotter.evaluation.metrics import flatten, monitored
from spotter.evaluation.report import write_report
from spotter.evaluation.report.analysis import analyse
from spotter.evaluation.report.plots import write_plots
from spotter.evaluation.table import comparison_table, metrics_table
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

TASK = Task("rally", ("hit", "bounce", "net"), "Labels.json", 50, "map_within_0", tolerances=(0, 1, 2, 4), halves=(1,))
Events = list[tuple[int, int]]  # class, frame
Detections = list[tuple[int, int, float]]


def spots(events: Events) -> Spots:
    label, frame = np.array(events, np.int64).reshape(-1, 2).T
    return Spots(label, frame / TASK.fps, np.ones(len(label), bool))


def predicted(detections: Detections) -> HalfPredictions:
    rows = np.array(detections, np.float64).reshape(-1, 3)
    return HalfPredictions(rows[:, 0].astype(np.int64), rows[:, 1] / TASK.fps, rows[:, 2])


def score(*games: tuple[Events, Detections]) -> dict[str, Any]:
    named = {Half(f"game {number}", 1): each for number, each in enumerate(games)}
    return frame_scores(
        {half: spots(events) for half, (events, _) in named.items()},
        {half: predicted(found) for half, (_, found) in named.items()},
        TASK,
    )


def reference(games: list[tuple[Events, Detections]], tolerance: int) -> list[float | None]:
    """Score as the text says, with plain loops."""
    precision: list[float | None] = []
    for label in range(len(TASK.classes)):
        left: dict[int, list[int]] = defaultdict(list)
        rows = []
        for game, (events, found) in enumerate(games):
            left[game] = sorted(frame for each, frame in events if each == label)
            rows += [(-confidence, game, frame) for each, frame, confidence in found if each == label]
        total, hits, curve = sum(map(len, left.values())), 0, []
        for rank, (_, game, frame) in enumerate(sorted(rows), start=1):
            nearest = min(left[game], key=lambda other, frame=frame: abs(other - frame), default=None)
            if nearest is not None and abs(nearest - frame) <= tolerance:
                left[game].remove(nearest)
                hits += 1
                curve.append(hits / rank)
        precision.append(sum(max(curve[i:]) for i in range(len(curve))) / total if total else None)
    return precision


def test_an_error_within_the_tolerance_counts_and_one_beyond_does_not() -> None:
    scores = score(([(0, 100)], [(0, 102, 0.9)]))
    assert [scores[f"within_{n}"]["map"] for n in TASK.tolerances] == [0, 0, 1, 1]
    assert scores["frames"]["map"] == 0.5
    assert scores["within_2"]["per_class"] == {"hit": 1, "bounce": None, "net": None}, "absent classes do not count"


def test_each_takes_the_nearest_that_is_left_in_order_of_confidence() -> None:
    events: Events = [(0, 100), (0, 104)]
    assert score((events, [(0, 101, 0.9), (0, 100, 0.8)]))["within_4"]["map"] == 1, "the second takes 104"
    assert score((events, [(0, 102, 0.9), (0, 106, 0.8)]))["within_2"]["map"] == 1, "of equally near the earlier"
    assert score((events, [(0, 103, 0.9), (0, 107, 0.8)]))["within_4"]["map"] == 0.5, "one took 104, none is near 107"


def test_the_area_is_that_under_the_interpolated_curve() -> None:
    found: Detections = [(0, 9, 0.9), (0, 100, 0.8), (0, 200, 0.7), (1, 9, 0.1)]
    scores = score(([(0, 100), (0, 200), (0, 300)], found))
    assert scores["within_0"]["per_class"]["hit"] == pytest.approx((2 / 3 + 2 / 3) / 3)


def test_two_labels_in_one_frame_count_twice_and_duplicates_are_wrong() -> None:
    assert score(([(0, 5), (0, 5)], [(0, 5, 0.5)]))["within_0"]["map"] == 0.5
    assert score(([(0, 5), (0, 5)], [(0, 5, 0.5), (0, 5, 0.4)]))["within_0"]["map"] == 1
    assert score(([(0, 5), (0, 50)], [(0, 5, 0.9), (0, 5, 0.8), (0, 50, 0.7)]))["within_0"]["map"] == (1 + 2 / 3) / 2


def test_games_do_not_mix_and_no_confidence_is_no_detection() -> None:
    assert score(([(0, 5)], []), ([], [(0, 5, 0.9)]))["within_4"]["map"] == 0
    assert score(([(0, 5)], [(0, 5, np.nan), (0, 5, -1.0)]))["within_4"]["map"] == 0
    assert score(([], [(0, 5, 0.9)]))["within_4"] == {"map": 0, "per_class": dict.fromkeys(TASK.classes)}


@pytest.mark.parametrize("frame", [29, 57, 58, 113, 14_503])
def test_times_fall_on_the_nearest_frame(frame: int) -> None:
    """0.58 s times 50 is a little less than 29."""
    assert score(([(0, frame)], [(0, frame, 0.9)]))["within_0"]["map"] == 1


frames = st.integers(0, 25)
classes = st.integers(0, 1)
game = st.tuples(
    st.lists(st.tuples(classes, frames), max_size=8),
    st.lists(st.tuples(classes, frames, st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9])), max_size=25),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(game, min_size=1, max_size=3))
def test_every_number_is_that_of_the_plain_reference(games: list[tuple[Events, Detections]]) -> None:
    scores, means = score(*games), []
    for tolerance in TASK.tolerances:
        expected = reference(games, tolerance)
        found = list(scores[f"within_{tolerance}"]["per_class"].values())
        assert found == [None if value is None else pytest.approx(value, abs=1e-12) for value in expected]
        present = [value for value in expected if value is not None]
        means.append(sum(present) / max(len(present), 1))
        assert scores[f"within_{tolerance}"]["map"] == pytest.approx(means[-1], abs=1e-12)
    assert scores["frames"]["map"] == pytest.approx(np.mean(means), abs=1e-12)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(game, min_size=1, max_size=3), st.data())
def test_a_game_that_is_drawn_twice_is_a_game_that_is_there_twice(games: list[Any], data: st.DataObject) -> None:
    drawn = data.draw(st.lists(st.integers(0, len(games) - 1), min_size=1, max_size=4))
    for number, (_, rows) in enumerate(games):  # equal confidences in one game would rank otherwise in two copies
        rows[:] = [(*row[:2], row[2] + (30 * number + index) / 1e4) for index, row in enumerate(rows)]
    named = {Half(f"game {number}", 1): each for number, each in enumerate(games)}
    labels = {half: spots(events) for half, (events, _) in named.items()}
    found = {half: predicted(rows) for half, (_, rows) in named.items()}
    weights = np.bincount(drawn, minlength=len(games))[None].astype(float)
    resampled, _ = frame_precision(rank_detections(labels, found, TASK), TASK.tolerances, weights)
    copies = score(*(games[number] for number in drawn))
    assert resampled[:, 0] == pytest.approx([each["map"] for each in copies.values()], abs=1e-12)
    all_scores = score_resamples(labels, found, TASK, np.concatenate([np.ones_like(weights), weights]))
    assert all_scores["within_1"][1, 0] == pytest.approx(copies["within_1"]["map"], abs=1e-12)


def test_metrics_of_a_task_with_tolerances_carry_them_and_others_do_not() -> None:
    half = Half("a/b/c", 1)
    labels, found = {half: spots([(0, 100), (1, 50)])}, {half: predicted([(0, 101, 0.5)])}
    metrics = average_map(labels, found, TASK)
    assert metrics["within_1"]["map"] == 0.5
    assert monitored(metrics, "map_within_1") == monitored(metrics, "within_1") == 0.5
    assert flatten(metrics)["map_within_1"] == 0.5
    assert flatten(metrics)["frames_map"] == 0.375
    assert flatten(metrics)["frames_ap/hit"] == 0.75
    assert "frames_ap/net" not in flatten(metrics)
    json.dumps(metrics, allow_nan=False)
    plain = average_map(labels, found, Task("plain", TASK.classes, "Labels.json", 50, "tight_map", halves=(1,)))
    assert {name: metrics[name] for name in plain} == plain
    assert set(metrics) - set(plain) == {"within_0", "within_1", "within_2", "within_4", "frames"}


@pytest.mark.slow
def test_tables_report_and_figures_show_them(tmp_path: Path) -> None:
    halves = [Half(f"a/b/{number}", 1) for number in range(3)]
    labels = {half: spots([(0, 100), (0, 300)]) for half in halves}
    found = {half: predicted([(0, 101, 0.5), (0, 300, 0.4)]) for half in halves}
    metrics = average_map(labels, found, TASK)
    systems = {"a": metrics, "b": metrics}
    for name, bootstrap in compare_systems(labels, dict.fromkeys(systems, found), TASK, 20).items():
        systems[name] = {**metrics, "bootstrap": bootstrap}
    with (console := Console(width=200)).capture() as shown:
        console.print(metrics_table(metrics, "ours"), comparison_table(systems))
    text = shown.get()
    assert text.count("within_0") == 3
    assert "–" in text, "a class without labels"
    write_report(tmp_path / "report.html", found, TASK, labels, metrics=metrics)
    assert '"within_0"' in (tmp_path / "report.html").read_text()
    assert write_plots(tmp_path, {name: analyse(labels, found, TASK) for name in systems})


def test_dense_predictions_are_matched_in_a_moment() -> None:
    """A prediction in every frame, confidence falling with time: the longest chain of shared labels."""
    count = 20_000
    labels = {Half("a", 1): spots([(0, frame) for frame in range(0, count, 2)])}
    found = {Half("a", 1): predicted([(0, frame, 1 - frame / count) for frame in range(count)])}
    ranked = rank_detections(labels, found, TASK)
    assert (match_nearest(ranked, 0) >= 0).sum() == count / 2
