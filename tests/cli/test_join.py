"""Predictions of different classes are joined as they are; of the same class they are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spotter.cli import main
from spotter.io.predictions import read_predictions, write_predictions, write_scored
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Period

ALL, PARTS = Task.load("soccernet-v2"), [Task.load(f"soccernet-v2-{name}") for name in ("patterned", "fuzzy")]


def test_the_classes_are_split_in_two() -> None:
    assert sorted((*PARTS[0].classes, *PARTS[1].classes)) == sorted(ALL.classes)


def test_spots_stay_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    label = {"annotations": [{"gameTime": "1 - 00:10", "label": "Goal", "position": "10000"}]}
    (tmp_path / "labels" / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "labels" / "a" / "b" / "c" / "Labels-v2.json").write_text(json.dumps(label))
    for task, name, time in zip(PARTS, ("Corner", "Goal"), (4.0, 10.0), strict=True):
        spots = HalfPredictions(np.array([task.classes.index(name)]), np.array([time]), np.array([0.5]))
        write_predictions(tmp_path / task.name, {Half("a/b/c", 1): spots}, task)
    sources = [str(tmp_path / task.name) for task in PARTS]
    out = str(tmp_path / "out")
    assert main(["join", *sources, "-o", out, "--labels", str(tmp_path / "labels")]) == 0
    found = read_predictions(out, ["a/b/c"], ALL)[Half("a/b/c", 1)]
    assert [ALL.classes[label] for label in found.label] == ["Corner", "Goal"]
    assert found.time.tolist() == [4, 10]
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["tight"]["per_class"]["Goal"] == 1
    assert "1 of 1 game" in capsys.readouterr().out
    assert main(["join", sources[0], sources[0], "-o", out]) == 1
    assert "have Corner: fuse them by spotter fuse" in capsys.readouterr().err


def test_neither_a_run_nor_an_input_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for task, name in zip(PARTS, ("Corner", "Goal"), strict=True):
        spots = HalfPredictions(np.array([task.classes.index(name)]), np.array([4.0]), np.array([0.5]))
        write_predictions(tmp_path / task.name, {Half("a/b/c", 1): spots}, task)
    sources = [str(tmp_path / task.name) for task in PARTS]
    assert main(["join", *sources, "-o", sources[0]]) == 2
    assert "lies in an input" in capsys.readouterr().err
    (tmp_path / "run" / ".hydra").mkdir(parents=True)
    assert main(["join", *sources, "-o", str(tmp_path / "run")]) == 2
    assert "holds another run or prediction (.hydra)" in capsys.readouterr().err
    for out in (tmp_path / PARTS[0].name / "out", tmp_path / PARTS[0].name / "a"):
        assert main(["join", *sources, "-o", str(out)]) == 2
        assert "lies in an input" in capsys.readouterr().err
    for name in ("metrics.json", "scores", "scores.json"):
        other = tmp_path / f"with-{name}"
        (other / name).mkdir(parents=True)
        assert main(["join", *sources, "-o", str(other)]) == 2
        assert f"holds another run or prediction ({name})" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["join", *sources, "-o", str(tmp_path / "file")]) == 2
    assert "is a file; give a folder" in capsys.readouterr().err


def test_labels_of_the_environment_count_where_they_are_of_these_games(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SOCCERNET_ROOT", str(tmp_path / "labels"))
    (tmp_path / "labels" / "other" / "game").mkdir(parents=True)
    (tmp_path / "labels" / "other" / "game" / "Labels-v2.json").write_text('{"annotations": []}')
    spots = HalfPredictions(np.array([PARTS[0].classes.index("Corner")]), np.array([4.0]), np.array([0.5]))
    write_predictions(tmp_path / "one", {Half("a/b/c", 1): spots}, PARTS[0])
    assert main(["join", str(tmp_path / "one"), "-o", str(tmp_path / "out")]) == 0
    assert not (tmp_path / "out" / "metrics.json").exists()
    assert f"{tmp_path / 'labels'}: holds no labels of these games, so they are not scored" in caplog.messages


def write(folder: Path, task: Task, name: str, *games: str) -> str:
    """Write a prediction of one spot for each game, with the task in its metrics."""
    spots = HalfPredictions(np.array([task.classes.index(name)]), np.array([4.0]), np.array([0.5]))
    write_scored(folder, {Half(game, 1): spots for game in games}, task, {}, "test")
    return str(folder)


def test_all_have_the_same_games(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "one", PARTS[0], "Corner", "a/b/c", "a/b/d")
    two = write(tmp_path / "two", PARTS[1], "Goal", "a/b/c")
    for sources in ((one, two), (two, one)):
        assert main(["join", *sources, "-o", str(tmp_path / "out")]) == 1
        assert f"{two}: lacks a/b/d, which {one} has" in capsys.readouterr().err


def test_the_task_is_that_of_the_predictions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ball = Task.load("ball-2024")
    one, two = (write(tmp_path / name, ball, name, "a/b/c") for name in ("PASS", "SHOT"))
    assert main(["join", one, two, "-o", str(tmp_path / "out")]) == 0
    assert len(read_predictions(tmp_path / "out", ["a/b/c"], ball)[Half("a/b/c", 1)]) == 2
    assert main(["join", one, two, "-o", str(tmp_path / "out"), "--task", "soccernet-v2"]) == 1
    assert "is of task soccernet-v2: give their --task" in capsys.readouterr().err
    parts = [write(tmp_path / task.name, task, task.classes[0], "a/b/c") for task in PARTS]
    assert main(["join", *parts, "-o", str(tmp_path / "all")]) == 0
    assert sum(map(len, read_predictions(tmp_path / "all", ["a/b/c"], ALL).values())) == 2
    assert main(["join", one, parts[0], "-o", str(tmp_path / "both")]) == 2
    assert "of ball-2024 and soccernet-v2-patterned: give the task of all classes" in capsys.readouterr().err


def test_halves_of_any_system_and_their_places_in_a_video_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def predict(name: str, task: Task, halves: dict[int, float]) -> str:
        rows = {
            Half("m", number): HalfPredictions(np.zeros(1, int), np.ones(1), np.ones(1), period=Period(start))
            for number, start in halves.items()
        }
        write_predictions(tmp_path / name, rows, task)
        return str(tmp_path / name)

    one, two = predict("one", PARTS[0], {1: 60.0}), predict("two", PARTS[1], {1: 60.0, 3: 6000.0})
    for sources in ((one, two), (two, one)):
        assert main(["join", *sources, "-o", str(tmp_path / "out")]) == 0
        found = read_predictions(tmp_path / "out", ["m"], ALL)
        known = {half.number: (len(rows), rows.period) for half, rows in found.items() if len(rows)}
        assert known == {1: (2, Period(60, 6000)), 3: (1, Period(6000))}
    assert main(["join", one, predict("late", PARTS[1], {1: 61.0}), "-o", str(tmp_path / "out")]) == 1
    assert "begins at 60 s of its video in one prediction, at 61 s in another" in capsys.readouterr().err
