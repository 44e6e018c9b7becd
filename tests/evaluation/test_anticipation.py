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
from spotter.evaluation.average_map import average_map
from spotter.evaluation.bootstrap import compare_systems
from spotter.evaluation.metrics import flatten
from spotter.io.anticipation import load_clip_splits, read_anticipation, write_anticipation
from spotter.io.formats import format_of
from spotter.io.splits import load_splits
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
    assert entry["confidence_vect"] == [0.0, 0.5, *[0.0] * 9], "the background first"
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
    assert scores["anticipation"]["map"] == scores["at_1"]["map"] == pytest.approx(0.3), "of ten; DRIVE was seen before"
    assert (scores["games"], scores["task"]) == (2, "baa-2026")
    shown = capsys.readouterr().out
    assert "2 clips" in shown
    assert "30.00" in shown
    write_anticipation(path, expected(late=0.8), TASK)
    late = spotter.evaluate(labels, path, task=TASK)
    assert late["at_1"]["map"] == 0
    assert late["at_2"]["map"] == late["at_inf"]["map"] == pytest.approx(0.3)
    assert late["anticipation"]["map"] == pytest.approx(0.25)
    assert flatten(late)["anticipation_map"] == late["anticipation"]["map"]


def test_a_list_of_all_clips_is_read_as_folders_are(labels: Path, tmp_path: Path) -> None:
    """The kit has one label file a split, which tells what is observed from what is to come."""
    rows = {
        clip: [
            {"label": name, "position": str(round(1000 * time)), "visibility": "visible", "team": "left"}
            for name, time in actions
        ]
        for clip, actions in ACTIONS.items()
    }
    videos = [
        {
            "path": f"{clip}/224p.mp4",
            "annotations": {
                "observation": [row for row in listed if int(row["position"]) < 30_000],
                "anticipation": [row for row in listed if int(row["position"]) >= 30_000],
            },
        }
        for clip, listed in rows.items()
    ]
    for split in ("train", "test"):
        (tmp_path / "kit" / split / "clip_10").mkdir(parents=True)
        (tmp_path / "kit" / split / "clip_9").mkdir()
        (tmp_path / "kit" / split / TASK.label_file).write_text(json.dumps({"videos": videos}))
    path = tmp_path / "results_anticipation.json"
    write_anticipation(path, expected(late=0.8), TASK)
    listed = spotter.evaluate(tmp_path / "kit" / "test", path, task=TASK)
    assert listed == spotter.evaluate(labels, path, task=TASK)
    assert spotter.evaluate(tmp_path / "kit", path, task=TASK, split="test")["at_2"] == listed["at_2"]
    spots = format_of(TASK).read(tmp_path / "kit", ["test/clip_2"], TASK)[Half("test/clip_2", 1)]
    assert sorted(spots.time.tolist()) == [12.0, 30.4]
    assert list(format_of(TASK).missing(tmp_path / "kit", ["test/clip_2", "test/clip_3"], TASK)) == ["test/clip_3"]
    assert load_clip_splits(TASK, tmp_path / "kit")["train"] == ["train/clip_9", "train/clip_10"]
    assert load_clip_splits(TASK, tmp_path / "nowhere") == load_splits(TASK), "those of whole matches"


def test_the_bootstrap_has_the_score_that_ranks(labels: Path) -> None:
    spots = format_of(TASK).read(labels, ["clip_1", "clip_2"], TASK)
    clips = {half: each for half, each in spots.items() if half.number == 1}
    good, late = expected(), expected(late=0.8)
    found = compare_systems(clips, {"good": good, "late": late}, TASK, 50)
    gain = average_map(clips, late, TASK)["anticipation"]["map"] - average_map(clips, good, TASK)["anticipation"]["map"]
    assert found["late"]["differences"]["anticipation"]["map"]["value"] == pytest.approx(gain)
    assert {"at_inf", "tight"} <= set(found["good"]["intervals"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "expected an object with a list 'videos'"),
        ({"videos": [{"path": "clip_1"}]}, "entry 1 of 'videos' lacks"),
        ({"videos": [{"path": "../clip", "annotations": {"anticipation": []}}]}, "names the game"),
        ({"videos": [{"path": "clip_1", "annotations": {"anticipation": 1}}]}, "expected a list 'anticipation'"),
        ({"videos": [{"path": "clip_1", "annotations": {"anticipation": []}}]}, "lacks 'clip_2'"),
        (
            {"videos": [{"path": "clip_1", "annotations": {"anticipation": []}}] * 2},
            "entry 2 of 'videos' is 'clip_1' again: give each clip one entry",
        ),
    ],
)
def test_odd_files_are_named(labels: Path, tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=said):
        spotter.evaluate(labels, path, task="baa-2026")
    with pytest.raises(UserError, match="no such file"):
        spotter.evaluate(labels, tmp_path / "nowhere.json", task="baa-2026")
