"""Average-mAP equals the official evaluator in every bit, on random data and on every known quirk."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from SoccerNet.Evaluation.ActionSpotting import compute_class_scores

from spotter.errors import UserError
from spotter.evaluation.average_map import TOLERANCES, average_map, average_precision, match
from spotter.evaluation.events import collect_events
from spotter.io.predictions import read_predictions
from spotter.io.soccernet import SoccerNet
from spotter.io.trees import find_games
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots
from tests.helpers import official
from tests.helpers.simulated import Entry, crowded, games, goal, guess

V2, BALL = Task.load("soccernet-v2"), Task.load("ball-2023")
SMALL = Task(name="small", classes=("Goal", "Foul", "Corner"), label_file="Labels-v2.json", fps=2, monitor="tight_map")
GAME = "league/season/game"


def ours(labelled: Path, predicted: Path, task: Task) -> dict[str, Any]:
    found = find_games(labelled, task.label_file)
    return average_map(SoccerNet().read(labelled, found, task), read_predictions(predicted, found, task), task)


def compare(
    folder: str | Path, data: Iterable[tuple[list[Entry], list[Entry]]], task: Task, names: Iterable[str]
) -> Any:
    """Return our form after checking that its ``names`` are the official numbers, exactly."""
    pairs = {f"league/season/game {number}": pair for number, pair in enumerate(data)}
    labelled = official.write_labels(Path(folder, "labels"), task, {game: pair[0] for game, pair in pairs.items()})
    predicted = official.write_predictions(Path(folder, "out.zip"), {game: pair[1] for game, pair in pairs.items()})
    form = ours(labelled, predicted, task)
    assert {name: form[name] for name in names} == official.scores(labelled, predicted, task, names)
    return form


@pytest.mark.parametrize(
    ("task", "most"), [(SMALL, 8), pytest.param(BALL, 60, marks=pytest.mark.slow)], ids=["2 fps", "25 fps"]
)
def test_every_number_is_the_official_one(task: Task, most: int) -> None:
    @settings(max_examples=9, deadline=None, derandomize=True)
    @given(st.lists(games(task, most), min_size=1, max_size=2))
    def check(data: list[tuple[list[Entry], list[Entry]]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            compare(folder, data, task, TOLERANCES)

    check()


@pytest.mark.parametrize(("task", "examples"), [(SMALL, 150), (BALL, 25)], ids=["2 fps", "25 fps"])
def test_matching_and_visibility_are_the_official_ones(task: Task, examples: int) -> None:
    """Compare at the level of single detections, which is cheap enough for many examples."""

    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(games(task, 20) | crowded(task), st.sampled_from([(1, 2, 60), (3, 5, 30)]))
    def check(data: tuple[list[Entry], list[Entry]], tolerances: tuple[int, ...]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            labelled = official.write_labels(Path(folder, "labels"), task, {GAME: data[0]})
            predicted = official.write_predictions(Path(folder, "predictions"), {GAME: data[1]})
            dense = list(zip(*official.vectors(labelled, predicted, task), strict=True))
            labels = SoccerNet().read(labelled, [GAME], task)
            events = collect_events(labels, read_predictions(predicted, [GAME], task), task)
        for tolerance in tolerances:
            rows, counted = [], np.zeros((2, len(task.classes)), int)
            for index in range(len(task.classes)):
                for target, detection, cell in dense:
                    columns = (target[:, index], cell[:, index], detection[:, index])
                    detected, *counts = compute_class_scores(*columns, tolerance * task.fps)
                    counted[:, index] += counts
                    rows.append(detected)
            expected = np.concatenate(rows)
            assert match(events, tolerance).tolist() == (expected[:, 1] == 1).tolist()
            shown = events.cell < len(task.classes) * 201
            assert shown.tolist() == (expected[:, 2] > 0).tolist()
            assert events.event_counts[1:].tolist() == counted.tolist()

    check()


def test_all_seventeen_classes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    data = []
    for _ in range(2):
        spots = [
            goal(int(at), str(name), half, visibility=str(generator.choice(["visible", "not shown"], p=[0.8, 0.2])))
            for half in (1, 2)
            for at, name in zip(generator.integers(0, 600_000, 60), generator.choice(V2.classes[:14], 60), strict=True)
        ]
        guesses = [
            guess(
                spot["position"] + int(generator.normal(0, 4000)),
                generator.random(),
                spot["label"],
                spot["gameTime"][0],
            )
            for spot in (*spots, *spots)
        ]
        data.append((spots, guesses))
    form = compare(tmp_path, data, V2, ("tight", "loose"))
    assert 0.2 < form["tight"]["map"] < form["loose"]["map"] < 1
    assert form["loose"]["per_class"]["Red card"] == 0
    assert form["games"] == 2


SHOWN, UNSHOWN = {"visibility": "visible"}, {"visibility": "not shown"}
QUIRKS = {
    "all later than two hours falls on the last frame": ([goal(8_000_000)], [guess(7_300_000)], 1),
    "a little before the start is the first frame": ([goal(-499)], [guess(0)], 1),
    "further before the start counts from the end": ([goal(-1000)], [guess(7_199_000)], 1),
    "the error may be one frame at 2 fps": ([goal(1000)], [guess(1999)], 1),
    "two frames are too far, if only 501 ms": ([goal(1499)], [guess(2000)], 0),
    "a false positive above halves the precision": ([goal(1000)], [guess(1000, 0.4), guess(9000, 0.6)], 1 / 2),
    "the last of one frame wins, not the best": (
        [goal(1000)],
        [guess(1000, 0.9), guess(1100, 0.1), guess(9000, 0.6)],
        1 / 2,
    ),
    "a later negative confidence deletes": ([goal(1000)], [guess(1000, 0.9), guess(1100, -1)], 0),
    "a later NaN deletes": ([goal(1000)], [guess(1000, 0.9), guess(1100, "nan")], 0),
    "a later null deletes": ([goal(1000)], [guess(1000, 0.9), guess(1100, None)], 0),
    "confidence 0 is a detection": ([goal(1000)], [guess(1000, 0)], 1),
    "so is minus 0": ([goal(1000)], [guess(1000, -0.0)], 1),
    "confidence may exceed 1": ([goal(1000)], [guess(1000, 7), guess(9000, 1)], 1 / 2),
    "two labels in a frame are one event": ([goal(1000), goal(1001)], [guess(1000)], 1),
    "the early event takes the detection on the next one": ([goal(1000), goal(1500)], [guess(1500)], 6 / 11),
    "the confident detection is taken, not the near one": ([goal(1000)], [guess(1000, 0.4), guess(1500, 0.5)], 1),
    "halves are apart": ([goal(1000)], [guess(1000, half="2")], 0),
    "halves other than 1 and 2 are dropped": ([goal(1000)], [guess(1000), guess(5000, 0.9, half="3")], 1),
    "unknown classes are skipped": ([goal(1000), goal(0, "Handball")], [guess(1000), guess(9000, 1, "Handball")], 1),
    "scores below 1/199 cannot be told apart": ([goal(1000)], [guess(1000, 0.004), guess(9000, 0.001)], 1 / 2),
    "nothing predicted": ([goal(1000)], [], 0),
    "nothing labelled": ([], [guess(1000)], 0),
    "nothing at all": ([], [], 0),
}


@pytest.mark.parametrize(("spots", "guesses", "expected"), QUIRKS.values(), ids=QUIRKS)
def test_quirk(tmp_path: Path, spots: list[Entry], guesses: list[Entry], expected: float) -> None:
    form = compare(tmp_path, [(spots, guesses)], SMALL, ["at_1"])
    assert form["at_1"]["per_class"]["Goal"] == pytest.approx(expected)
    assert form["at_1"]["map"] == pytest.approx(expected / 3)  # absent classes stay in the mean, as 0


def test_frames_keep_the_official_float_order(tmp_path: Path) -> None:
    """25 · (1160 / 1000) is 28.999…: frame 28, 13 frames from frame 41 rather than 12."""
    form = compare(tmp_path, [([goal(1160, "PASS")], [guess(1640, label="PASS")])], BALL, ["at_1", "at_2"])
    assert (form["at_1"]["per_class"]["PASS"], form["at_2"]["per_class"]["PASS"]) == (0, 1)


def test_window_at_25_fps_is_twelve_frames_a_side(tmp_path: Path) -> None:
    near, far = (
        compare(tmp_path, [([goal(0, "PASS")], [guess(at, label="PASS")])], BALL, ["at_1"]) for at in (480, 520)
    )
    assert (near["at_1"]["map"], far["at_1"]["map"]) == (0.5, 0)


def test_cells_part_at_the_floored_midpoint(tmp_path: Path) -> None:
    """Frames 4 and 9 part at 6: a detection there belongs to the later event, though it is nearer to the first."""
    spots = [goal(2000, **SHOWN), goal(4500, **UNSHOWN)]
    before, on = (compare(tmp_path, [(spots, [guess(at)])], SMALL, ["at_2", "at_5"]) for at in (2500, 3000))
    assert before["at_2"]["per_class_shown"]["Goal"] == 1
    assert on["at_2"]["per_class_shown"]["Goal"] == 0
    assert on["at_2"]["per_class_unshown"]["Goal"] == 1


def test_frame_of_an_event_may_belong_to_its_neighbour(tmp_path: Path) -> None:
    spots = [goal(2000, **SHOWN), goal(2500, **UNSHOWN)]
    form = compare(tmp_path, [(spots, [guess(2000)])], SMALL, ["at_1"])
    assert form["at_1"]["per_class_shown"]["Goal"] == 0
    assert form["at_1"]["per_class_unshown"]["Goal"] == 1


def test_unshown_average_is_scaled_and_may_exceed_one(tmp_path: Path) -> None:
    spots = [goal(2000, name, **UNSHOWN) for name in V2.classes]
    form = compare(tmp_path, [(spots, [guess(2000, label=name) for name in V2.classes])], V2, ["tight", "at_1"])
    assert form["tight"]["map_unshown"] == 17 / 13
    assert form["tight"]["per_class_unshown"]["Goal"] == form["at_1"]["map_unshown"] == 1


def test_only_the_official_classes_are_scaled(tmp_path: Path) -> None:
    spots = [goal(2000, name, **UNSHOWN) for name in SMALL.classes]
    form = compare(tmp_path, [(spots, [guess(2000, label=name) for name in SMALL.classes])], SMALL, ["tight", "loose"])
    assert form["tight"]["map_unshown"] == form["loose"]["map_unshown"] == 1


def test_equal_confidences_take_the_earliest_frame(tmp_path: Path) -> None:
    """The first event takes 500 ms and leaves 1000 ms to the second, which the later choice would not."""
    compare(tmp_path, [([goal(1000), goal(1500)], [guess(500), guess(1000)])], SMALL, ["at_1", "at_2"])


def test_time_far_before_the_start_is_an_error() -> None:
    half = Half(GAME, 1)
    early = HalfPredictions(np.array([0]), np.array([-7201.0]), np.array([1.0]))
    with pytest.raises(UserError, match=r"league/season/game, half 1: the time -7201\.0"):
        average_map({half: Spots.empty()}, {half: early}, SMALL)


def test_halves_scored_are_those_labelled() -> None:
    spots = Spots(np.array([0]), np.array([10.0]), np.array([True]))
    right = HalfPredictions(np.array([0]), np.array([10.0]), np.array([0.5]))
    labelled = {Half(GAME, 1): spots, Half("other", 1): Spots.empty()}
    form = average_map(labelled, {Half(GAME, 1): right, Half("unlabelled", 1): right}, SMALL)
    assert form["at_1"]["per_class"]["Goal"] == 1
    assert form["games"] == 2


def test_no_halves_score_zero() -> None:
    form = average_map({}, {}, SMALL)
    assert (form["tight"]["map"], form["games"]) == (0, 0)


def test_form_holds_plain_finite_floats() -> None:
    form = average_map({Half(GAME, 1): Spots.empty()}, {}, V2)
    numbers = [value for name in TOLERANCES for scores in form[name].values() for value in _values(scores)]
    assert len(numbers) == 7 * 3 * 18
    assert all(type(value) is float and math.isfinite(value) for value in numbers)


def _values(scores: float | dict[str, float]) -> list[float]:
    return list(scores.values()) if isinstance(scores, dict) else [scores]


def test_any_tolerances_can_be_asked_for() -> None:
    spots = Spots(np.array([0]), np.array([10.0]), np.array([True]))
    near = HalfPredictions(np.array([0]), np.array([12.0]), np.array([0.5]))
    events = collect_events({Half(GAME, 1): spots}, {Half(GAME, 1): near}, SMALL)
    precision = average_precision(events, [0.5, 3.5, 4, 600])
    assert precision.shape == (4, 3, 3)
    assert precision[:, 0, 0].tolist() == [0, 0, 1, 1]
