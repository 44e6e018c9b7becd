"""Reading labels and predictions by the official rules, and writing predictions that read back the same."""

from __future__ import annotations

import json
import logging
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.errors import UserError
from spotter.io.files import atomic_write
from spotter.io.predictions import read_predictions
from spotter.io.soccernet import SoccerNet
from spotter.io.trees import find_games
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots
from tests.helpers import official

TASK = Task(name="small", classes=("Goal", "Foul"), label_file="Labels-v2.json", fps=2, monitor="tight_map")
GAME = "league/season/2015 Málaga 1 - 0 it's"
LABEL = {"gameTime": "1 - 00:10", "label": "Goal", "position": "10000", "visibility": "visible"}
GUESS = {"gameTime": "1 - 00:10", "label": "Goal", "position": "10000", "half": "1", "confidence": "0.5"}


def labels_of(tmp_path: Path, *changes: dict[str, Any]) -> dict[Half, Spots]:
    entries = [{**LABEL, **change} for change in changes]
    for entry in entries:
        for key in [key for key, value in entry.items() if value is ...]:
            del entry[key]
    return SoccerNet().read(official.write_labels(tmp_path / "labels", TASK, {GAME: entries}), [GAME], TASK)


def predictions_of(tmp_path: Path, *changes: dict[str, Any]) -> dict[Half, HalfPredictions]:
    root = official.write_predictions(tmp_path / "predictions", {GAME: [{**GUESS, **change} for change in changes]})
    return read_predictions(root, [GAME], TASK)


@pytest.mark.parametrize("name", ["labels", "labels.zip"])
def test_games_are_found_in_folder_and_zip(tmp_path: Path, name: str) -> None:
    root = official.write_labels(tmp_path / name, TASK, {"b/s/two": [], GAME: [LABEL], "deep/er/than/usual": []})
    assert find_games(root, "Labels-v2.json") == ["b/s/two", "deep/er/than/usual", GAME]
    assert find_games(root, "Labels.json") == []
    spots = SoccerNet().read(root, [GAME], TASK)
    assert list(spots) == [Half(GAME, 1), Half(GAME, 2)]
    assert [len(half) for half in spots.values()] == [1, 0]


def test_games_are_found_through_links_but_not_in_circles(tmp_path: Path) -> None:
    tree = official.write_labels(tmp_path / "tree", TASK, {GAME: [LABEL]})
    elsewhere = official.write_labels(tmp_path / "elsewhere", TASK, {"season/game": [LABEL]})
    (tree / "linked").symlink_to(elsewhere)
    (elsewhere / "season" / "back").symlink_to(tree / "linked")
    (tree / "league" / "back").symlink_to(tree)
    assert find_games(tree, "Labels-v2.json") == [GAME, "linked/season/game"]


@pytest.mark.parametrize("name", ["labels", "labels.zip"])
def test_root_may_be_the_game_itself(tmp_path: Path, name: str) -> None:
    root = official.write_labels(tmp_path / name, TASK, {".": [LABEL]})
    if name.endswith(".zip"):
        with zipfile.ZipFile(root, "w") as archive:
            archive.writestr("Labels-v2.json", json.dumps({"annotations": [LABEL]}))
    assert find_games(root, "Labels-v2.json") == ["."]
    assert len(SoccerNet().read(root, ["."], TASK)[Half(".", 1)]) == 1


@pytest.mark.parametrize(
    ("change", "seconds"),
    [
        ({"position": 1160}, 1.16),
        ({"position": " 1160 "}, 1.16),
        ({"position": 1160.9}, 1.16),
        ({"position": -1160.9}, -1.16),
        ({"position": True}, 0.001),
        ({"position": ..., "gameTime": "1 - 12:34"}, 754),
        ({"position": ..., "gameTime": "1 - 100:07"}, 7),
        ({"position": ..., "gameTime": "1-3:07 "}, 187),
    ],
)
def test_time_of_a_label(tmp_path: Path, change: dict[str, Any], seconds: float) -> None:
    assert labels_of(tmp_path, change)[Half(GAME, 1)].time.tolist() == [seconds]


def test_labels_of_halves_that_the_task_lacks_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clocks = [{"gameTime": f"{half} - 00:00"} for half in (2, 1, 3, 2, 0, 3)]
    assert [len(half) for half in labels_of(tmp_path, *clocks).values()] == [1, 2]
    assert "labels: skipped 3 of halves outside the task small: half 0 (1), half 3 (2)" in caplog.text


@pytest.mark.parametrize("clock", ["12:34", "90:01", "05:10", "1:23", "1 - 5", "1 - 12:34:56"])
def test_a_label_must_say_its_half(tmp_path: Path, clock: str) -> None:
    """The official evaluator takes the first digit for it, which puts 12:34 into the first half and drops 90:01."""
    with pytest.raises(
        UserError, match=f"entry 2 has the gameTime '{clock}', not text like '1 - 12:34', half and time"
    ):
        labels_of(tmp_path, {}, {"gameTime": clock})


def test_a_zip_with_backslashes_is_read(tmp_path: Path) -> None:
    """As some programs of Windows write them."""
    root = official.write_labels(tmp_path / "labels", TASK, {GAME: [LABEL], "b/s/two": [LABEL, LABEL]})
    with zipfile.ZipFile(tmp_path / "labels.zip", "w") as archive:
        for file in root.rglob("*.json"):
            member = zipfile.ZipInfo("x")
            member.filename = str(file.relative_to(root)).replace("/", "\\")
            archive.writestr(member, file.read_bytes())
    assert "\\" in zipfile.ZipFile(tmp_path / "labels.zip").namelist()[0]
    assert find_games(tmp_path / "labels.zip", "Labels-v2.json") == ["b/s/two", GAME]
    spots = SoccerNet().read(tmp_path / "labels.zip", ["b/s/two"], TASK)
    assert len(spots[Half("b/s/two", 1)]) == 2


def test_visibility_is_off_only_where_it_says_not_shown(tmp_path: Path) -> None:
    values = ["visible", "not shown", "Not shown", None, ...]
    spots = labels_of(tmp_path, *({"visibility": value} for value in values))[Half(GAME, 1)]
    assert spots.visible.tolist() == [True, False, True, True, True]


def test_rows_keep_the_order_of_the_file(tmp_path: Path) -> None:
    changes = [{"position": at, "label": label} for at, label in ((9, "Foul"), (3, "Goal"), (5, "Foul"))]
    spots = labels_of(tmp_path, *changes)[Half(GAME, 1)]
    assert (spots.time.tolist(), spots.label.tolist()) == ([0.009, 0.003, 0.005], [1, 0, 1])
    guesses = predictions_of(tmp_path, *changes)[Half(GAME, 1)]
    assert (guesses.time.tolist(), guesses.label.tolist()) == ([0.009, 0.003, 0.005], [1, 0, 1])


def test_unknown_labels_give_one_counted_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    games = {f"a/b/{number}": [LABEL, {**LABEL, "label": "I'm"}, {**LABEL, "label": None}] for number in range(2)}
    root = official.write_labels(tmp_path / "labels", TASK, games)
    with caplog.at_level(logging.WARNING):
        spots = SoccerNet().read(root, games, TASK)
    assert sum(map(len, spots.values())) == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"{root}: labels: skipped 4 outside the task small: \"I'm\" (2), 'None' (2)"
    ]


@pytest.mark.parametrize(
    ("value", "confidence"),
    [
        ("0.25", 0.25),
        (1, 1),
        (True, 1),
        (None, math.nan),
        ("nan", math.nan),
        (-1, -1),
        ("1e-3", 0.001),
        ("inf", math.inf),
    ],
)
def test_confidence(tmp_path: Path, value: Any, confidence: float) -> None:
    read = predictions_of(tmp_path, {"confidence": value})[Half(GAME, 1)].confidence
    assert np.array_equal(read, [confidence], equal_nan=True)


@pytest.mark.parametrize("half", ["1", 1, 1.9, True])
def test_half_of_a_prediction_is_a_whole_number(tmp_path: Path, half: Any) -> None:
    assert len(predictions_of(tmp_path, {"half": half}, {"half": 3})[Half(GAME, 1)]) == 1


def test_confidence_of_what_is_skipped_is_not_looked_at(tmp_path: Path) -> None:
    skipped = [{"half": 0, "confidence": "high"}, {"label": "Handball", "confidence": "high"}]
    assert len(predictions_of(tmp_path, *skipped, {})[Half(GAME, 1)]) == 1


def test_bare_nan_is_read_as_the_official_code_does(tmp_path: Path) -> None:
    root = official.write_predictions(tmp_path / "predictions", {GAME: [{**GUESS, "confidence": math.nan}]})
    assert np.isnan(read_predictions(root, [GAME], TASK)[Half(GAME, 1)].confidence).all()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"position": "12.5"}, "entry 2 has the position '12.5', not a whole number of milliseconds"),
        ({"position": None}, "entry 2 has the position None"),
        ({"position": "9" * 400}, "entry 2 has the position"),
        ({"gameTime": "soon"}, "entry 2 has the gameTime 'soon', not text like '1 - 12:34'"),
        ({"gameTime": ""}, "entry 2 has the gameTime ''"),
        ({"gameTime": ...}, "entry 2 lacks 'gameTime'"),
        ({"label": ...}, "entry 2 lacks 'label'"),
        ({"label": ["Goal"]}, r"entry 2 has the label \['Goal'\], not text"),
    ],
)
def test_malformed_label_is_named(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=f"{GAME}/Labels-v2.json: {problem}"):
        labels_of(tmp_path, {}, change)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"position": "12.5"}, "entry 2 has the position '12.5', not a whole number of milliseconds"),
        ({"half": "first"}, "entry 2 has the half 'first', not a half's number"),
        ({"confidence": "high"}, "entry 2 has the confidence 'high', not a number"),
        ({"confidence": [0.5]}, "entry 2 has the confidence"),
    ],
)
def test_malformed_prediction_is_named(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=f"{GAME}/results_spotting.json: {problem}"):
        predictions_of(tmp_path, {}, change)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not JSON"),
        (b"{'predictions': []}", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[]", "expected an object with a list 'predictions'"),
        (b'{"annotations": []}', "expected an object with a list 'predictions'"),
        (b'{"predictions": [3]}', "entry 1 is not an object"),
        (b'{"predictions": [{}]}', "entry 1 lacks 'position'"),
    ],
)
def test_malformed_file_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    atomic_write(tmp_path / GAME / "results_spotting.json", content)
    with pytest.raises(UserError, match=f"{GAME}/results_spotting.json: {problem}"):
        read_predictions(tmp_path, [GAME], TASK)


@pytest.mark.parametrize("name", ["predictions", "predictions.zip"])
def test_missing_game_is_named_with_the_remedy(tmp_path: Path, name: str) -> None:
    root = official.write_predictions(tmp_path / name, {GAME: []})
    with pytest.raises(UserError, match=r"no a/b/c/results_spotting.json: predict this game"):
        read_predictions(root, [GAME, "a/b/c"], TASK)


@pytest.mark.parametrize("name", ["predictions", "predictions.zip"])
def test_enclosing_directory_is_pointed_out(tmp_path: Path, name: str) -> None:
    root = official.write_predictions(tmp_path / name, {f"my results/{GAME}": []})
    with pytest.raises(UserError, match="it lies in 'my results'"):
        read_predictions(root, [GAME], TASK)


def test_labels_of_another_task_are_pointed_out(tmp_path: Path) -> None:
    root = official.write_labels(tmp_path / "labels", Task.load("ball-2025"), {GAME: []})
    with pytest.raises(UserError, match=r"there is Labels-ball.json: choose a task that reads it, such as .*ball-2025"):
        SoccerNet().read(root, [GAME], TASK)


def test_root_that_is_no_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent: no such folder or zip"):
        find_games(tmp_path / "absent", "Labels-v2.json")
    atomic_write(tmp_path / "file", b"text")
    with pytest.raises(UserError, match="file: neither a folder nor a zip"):
        find_games(tmp_path / "file", "Labels-v2.json")


def test_damaged_zip_is_named(tmp_path: Path) -> None:
    root = official.write_predictions(tmp_path / "predictions.zip", {GAME: [GUESS]})
    root.write_bytes(root.read_bytes().replace(b"Goal", b"Gaol"))
    with pytest.raises(UserError, match=r"cannot read .*results_spotting.json"):
        read_predictions(root, [GAME], TASK)


def test_teams_are_read_and_written(tmp_path: Path) -> None:
    """As text, where a file names any; labels without teams stay without."""
    rows = [{**LABEL, "team": "home"}, {**LABEL, "team": None}, LABEL]
    root = official.write_labels(tmp_path / "labels", TASK, {GAME: rows, "l/s/none": [LABEL]})
    labels = SoccerNet().read(root, [GAME, "l/s/none"], TASK)
    first = labels[Half(GAME, 1)]
    assert first.team is not None
    assert first.team.tolist() == ["home", "", ""]
    assert first.take(np.array([0])).team == ["home"]
    assert labels[Half("l/s/none", 1)].team is None
    SoccerNet().write(tmp_path / "out", labels, TASK, {GAME: {"referee": "N. N."}})
    written = json.loads((tmp_path / "out" / GAME / TASK.label_file).read_text())
    assert list(written) == ["UrlLocal", "referee", "annotations"]
    assert [row.get("team") for row in written["annotations"]] == ["home", None, None]
