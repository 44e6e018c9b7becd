"""What is expected after clips is read, written and scored as the challenge of 2026 does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spotter
from spotter.cli import main
from spotter.errors import UserError
from spotter.io.anticipation import read_anticipation, write_anticipation
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions

TASK = Task.load("baa-2026")
ACTIONS = {"clip_1": [("PASS", 31.2), ("OUT", 34.0)], "clip_2": [("SHOT", 30.4), ("DRIVE", 12.0)]}


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    for clip, actions in ACTIONS.items():
        rows = [
            {"gameTime": f"1 - 00:{int(time):02d}", "label": name, "position": str(round(1000 * time))}
            for name, time in actions
        ]
        (tmp_path / "test" / clip).mkdir(parents=True)
        (tmp_path / "test" / clip / TASK.label_file).write_text(json.dumps({"annotations": rows}))
    return tmp_path / "test"


def expected(late: float = 0.0) -> dict[Half, HalfPredictions]:
    found = {}
    for clip, actions in ACTIONS.items():
        label = np.array([TASK.classes.index(name) for name, _ in actions])
        time = np.array([time + late for _, time in actions])
        found[Half(clip, 1)] = HalfPredictions(label, time, np.full(len(label), 0.5)).take(time >= 30)
    return found


def test_files_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "preds" / "results_anticipation.json"
    write_anticipation(path, expected(), TASK)
    (first, _) = json.loads(path.read_text())["videos"]
    entry = first["annotations"]["anticipation"][0]
    assert (first["path"], entry["label"], entry["position"], entry["confidence"]) == ("clip_1", "PASS", 31200, 0.5)
    assert entry["confidence_vect"] == [0.5, *[0.0] * 9]
    for source in (path, path.parent):
        again = read_anticipation(source, TASK)
        assert list(again) == list(expected())
        for half, spots in expected().items():
            np.testing.assert_array_equal(again[half].label, spots.label)
            np.testing.assert_allclose(again[half].time, spots.time)


def test_scores(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "results_anticipation.json", tmp_path / "scores.json"
    write_anticipation(path, expected(), TASK)
    assert main(["evaluate", str(labels), str(path), "--task", "baa-2026", "--json", str(out)]) == 0
    scores = json.loads(out.read_text())
    assert scores["mean"] == scores["map_at_1"] == pytest.approx(0.3), "three of ten classes; DRIVE was seen before"
    assert scores["clips"] == 2
    assert "30.00" in capsys.readouterr().out
    write_anticipation(path, expected(late=0.8), TASK)
    late = spotter.evaluate(labels, path, task=TASK)
    assert late["map_at_1"] == 0
    assert late["map_at_2"] == late["map_at_inf"] == pytest.approx(0.3)
    assert late["mean"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "expected an object with a list 'videos'"),
        ({"videos": [{"path": "clip_1"}]}, "entry 1 of 'videos' lacks"),
        ({"videos": [{"path": "../clip", "annotations": {"anticipation": []}}]}, "names the game"),
        ({"videos": [{"path": "clip_1", "annotations": {"anticipation": 1}}]}, "expected a list 'anticipation'"),
        ({"videos": [{"path": "clip_1", "annotations": {"anticipation": []}}]}, "has no 'clip_2'"),
    ],
)
def test_odd_files_are_named(labels: Path, tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=said):
        spotter.evaluate(labels, path, task="baa-2026")
    with pytest.raises(UserError, match="no such file"):
        spotter.evaluate(labels, tmp_path / "nowhere.json", task="baa-2026")
