"""``spotter report`` from the command line: with and without labels and videos, and one clear line for mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.cli import main
from spotter.evaluation.average_map import average_map
from spotter.evaluation.report import plots
from spotter.io.predictions import write_predictions, write_scored
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

TASK = Task.load("soccernet-v2")
GAME = "league/season/one"
LABELS = {Half(GAME, half): Spots(np.array([2]), np.array([half * 60.0]), np.array([True])) for half in (1, 2)}
PREDICTIONS = {Half(GAME, 1): HalfPredictions(np.array([2, 10]), np.array([60.4, 90.0]), np.array([0.9, 0.3]))}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with labels, predictions and videos of one game; it is the working folder."""
    rows = [
        {"gameTime": f"{half.number} - 0{half.number}:00", "label": "Goal", "position": str(60000 * half.number)}
        for half in LABELS
    ]
    folder = tmp_path / "tree" / GAME
    folder.mkdir(parents=True)
    (folder / "Labels-v2.json").write_text(json.dumps({"annotations": rows}))
    for name in ("1_224p.mkv", "1_720p.mkv", "2_720p.mkv"):
        (folder / name).touch()
    write_predictions(tmp_path / "predictions", PREDICTIONS, TASK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("root")
def test_a_folder_is_no_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "predictions", "-o", "tree"]) == 2
    assert "--out: 'tree' is a folder; give a file, such as tree/report.html" in capsys.readouterr().err


def summary(path: Path) -> dict[str, Any]:
    found = re.search(r'id="summary">(.*?)</script>', path.read_text(encoding="utf-8"))
    assert found
    return json.loads(found[1])


def test_labels_and_videos(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "predictions" / "metrics.json").write_text('{"postprocess": {"method": "nms", "window": 20.0}}')
    arguments = ["predictions", "--labels", "tree", "--video", "tree", "-o", "out/r.html"]
    assert main(["report", *arguments]) == 0
    assert "out/r.html is ready" in capsys.readouterr().out
    told = summary(root / "out" / "r.html")
    assert told["metrics"] == average_map(LABELS, PREDICTIONS, TASK)
    assert told["postprocess"] == "hard NMS, window 20 s"
    assert told["videos"] == [[f"../tree/{GAME}/{half}_720p.mkv"] for half in (1, 2)]


def test_an_own_match_from_a_zip(root: Path) -> None:
    write_predictions(root / "own", {Half("it's (1)", 1): PREDICTIONS[Half(GAME, 1)]}, TASK)
    (root / "it's (1).mp4").touch()
    assert main(["report", "own/results_spotting.zip", "--video", str(root), "-o", "own.html"]) == 0
    told = summary(root / "own.html")
    assert told["metrics"] is None
    assert told["halves"] == [{"game": "it's (1)", "number": 1, "start": 0}]
    assert told["videos"] == [[(root / "it's (1).mp4").as_uri()]]


@pytest.mark.parametrize(
    ("video", "link"),
    [
        ("http://server/a%20b/", "http://server/a%20b/league/season/one/1_224p.mp4"),
        ("{root}/tree", "{root}/tree/league/season/one/1_720p.mkv"),
    ],
)
def test_videos_below_an_address(root: Path, video: str, link: str) -> None:
    assert main(["report", "predictions", "--video", video.format(root=root.as_uri())]) == 0
    assert summary(root / "report.html")["videos"][0][0] == link.format(root=root.as_uri())


def test_split_and_task(root: Path) -> None:
    (root / "tree" / "splits.json").write_text(json.dumps({"valid": [GAME]}))
    assert main(["report", "predictions", "--labels", "tree", "--split", "valid"]) == 0
    assert summary(root / "report.html")["subtitle"] == "soccernet-v2 · valid split · 1 game"
    ball = Task.load("ball-2023")
    found = {Half(GAME, 1): HalfPredictions(np.array([0]), np.array([60.4]), np.array([0.9]))}
    write_predictions(root / "predictions", found, ball)
    assert main(["report", "predictions", "--task", "ball-2023"]) == 0
    assert summary(root / "report.html")["classes"] == ["PASS", "DRIVE"]


def test_plots(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    monkeypatch.setattr(plots, "FIGURES", {"costs": plots.FIGURES["costs"]})
    assert main(["report", "predictions", "--labels", "tree", "--plots", "plots"]) == 0
    assert (root / "plots" / "costs.pdf").is_file()


def test_several_systems_share_their_figures(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    monkeypatch.setattr(plots, "COMPARISONS", {"costs": plots.COMPARISONS["costs"]})
    both = ["ours=predictions", "theirs=predictions/results_spotting.zip"]
    assert main(["report", *both, "--labels", "tree", "--plots", "plots"]) == 0
    text = (root / "plots" / "costs.svg").read_text("utf-8")
    assert "ours" in text
    assert "theirs" in text
    told = summary(root / "report.html")["systems"]
    assert [system["name"] for system in told] == ["ours", "theirs"]
    assert told[0]["map"] == told[1]["map"]
    assert main(["report", *both]) == 2


def test_a_run_folder_says_its_task_and_split(root: Path) -> None:
    write_scored(root / "run" / "predictions" / "valid", PREDICTIONS, TASK, {"postprocess": {}}, "valid")
    assert main(["report", "run", "--labels", "tree"]) == 0
    assert summary(root / "report.html")["subtitle"] == "soccernet-v2 · valid split · 1 game"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["absent"], 1, "absent: no such folder or zip"),
        (["tree"], 1, "tree: holds no results_spotting.json: give what spotter predict wrote"),
        (["predictions", "--video", "absent"], 1, "absent: no such folder of videos"),
        (["predictions", "--video", "predictions"], 1, "holds no video of these games, such as league/season/one"),
        (["predictions", "--labels", "predictions"], 1, "get the labels of this game"),
        (
            ["predictions", "--labels", "tree", "--split", "test"],
            1,
            "get the labels of this game, or choose other games",
        ),
        (["predictions", "--plots", "plots"], 2, "give --labels too"),
        (["a=predictions", "b=predictions"], 2, "compared by their scores: give --labels too"),
        (["predictions", "--task", "absent"], 1, "task 'absent' is unknown"),
        (
            ["predictions", "--task", "ball-2023"],
            1,
            "predictions: holds no prediction of the task ball-2023: give others, or their --task",
        ),
    ],
)
def test_mistakes_are_one_line(
    root: Path, arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *arguments]) == status
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (root / "report.html").exists()
