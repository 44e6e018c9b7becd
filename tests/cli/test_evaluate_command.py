"""``spotter evaluate`` from the command line: scores, JSON, tables, and one clear line for every mistake."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from spotter.cli import main
from spotter.evaluation.average_map import TOLERANCES, average_map
from spotter.evaluation.table import comparison_table
from spotter.io.predictions import write_predictions
from spotter.io.soccernet import SoccerNet
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions

TASK = Task.load("soccernet-v2")
UNKNOWN = {"postprocess": {}, "task": "soccernet-v2", "split": None}
GAMES = ("league/season/one", "league/season/two")
LABELS = [
    {"gameTime": f"{half} - 00:{second}", "label": label, "position": f"{second}000", "visibility": "visible"}
    for half, second, label in ((1, 10, "Goal"), (1, 40, "Foul"), (2, 25, "Corner"))
]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    for game in GAMES:
        folder = tmp_path / "labels" / game
        folder.mkdir(parents=True)
        (folder / "Labels-v2.json").write_text(json.dumps({"annotations": LABELS}))
    return tmp_path / "labels"


@pytest.fixture
def predictions(tmp_path: Path, labels: Path) -> Path:
    write_predictions(tmp_path / "predictions", right(labels), TASK)
    return tmp_path / "predictions"


def right(labels: Path) -> dict[Half, HalfPredictions]:
    spots = SoccerNet().read(labels, GAMES, TASK)
    return {half: HalfPredictions(rows.label, rows.time, np.full(len(rows), 0.5)) for half, rows in spots.items()}


def written(path: Path) -> Any:
    text = path.read_text()
    assert "NaN" not in text
    return json.loads(text)


def test_table_and_json_hold_the_scores(
    labels: Path, predictions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new folder" / "scores.json"
    assert main(["evaluate", str(labels), str(predictions), "--json", str(out)]) == 0
    form = written(out)
    assert form == {**average_map(SoccerNet().read(labels, GAMES, TASK), right(labels), TASK), **UNKNOWN}
    assert form["tight"]["per_class"]["Goal"] == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "2 games" in shown
    assert f"{100 * 3 / 17:.2f}" in shown
    assert all(name in shown for name in TASK.classes)


def test_zips_score_the_same(labels: Path, predictions: Path, tmp_path: Path) -> None:
    packed = tmp_path / "labels.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in labels.rglob("*.json"):
            archive.write(path, path.relative_to(labels))
    out = tmp_path / "scores.json"
    arguments = [str(packed), str(predictions / "results_spotting.zip"), "--json", str(out)]
    assert main(["evaluate", *arguments]) == 0
    assert written(out)["at_1"]["map"] == 3 / 17


def test_several_predictions_give_a_summary_and_a_mapping(
    labels: Path, predictions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worse = tmp_path / "[worse] run"
    write_predictions(worse, {half: HalfPredictions.empty() for half in right(labels)}, TASK)
    out = tmp_path / "scores.json"
    assert main(["evaluate", str(labels), str(predictions), str(worse), "--json", str(out)]) == 0
    forms = written(out)
    assert {name: form["at_1"]["map"] for name, form in forms.items()} == {str(predictions): 3 / 17, str(worse): 0}
    first, second = (form["bootstrap"] for form in forms.values())
    assert first["intervals"]["at_1"]["map"] == [3 / 17, 3 / 17]  # both games are the same
    assert "differences" not in first
    assert second["against"] == str(predictions)
    change = second["differences"]["at_1"]["map"]
    assert change == {"value": -3 / 17, "interval": [-3 / 17, -3 / 17], "better": 0.0}
    shown = "".join(capsys.readouterr().out.split())
    assert "[worse]run" in shown
    assert "-17.65" in shown
    assert "*" not in shown, "two games tell nothing from chance"
    assert "2games;95%intervalsof1000resamplesofgames;withfewerthan8gamestheyarerough" in shown
    assert all("".join(name.split()) in shown for name in TASK.classes)


@pytest.mark.parametrize("words", [["--resamples", "0"], ["--split", "test"]], ids=["none wanted", "a single game"])
def test_comparison_without_intervals(
    labels: Path, predictions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (labels / "splits.json").write_text(json.dumps({"test": [GAMES[0]], "valid": []}))
    out = tmp_path / "scores.json"
    both = [str(predictions), str(predictions / "results_spotting.zip")]
    assert main(["evaluate", str(labels), *both, "--json", str(out), *words]) == 0
    assert all("bootstrap" not in form for form in written(out).values())
    shown = capsys.readouterr().out
    assert "no intervals" in shown
    assert "change to 1" not in shown
    assert "\x1b[" not in shown  # colour only on a terminal


def test_stars_mark_differences_over_enough_games() -> None:
    def shown(games: int) -> str:
        scores = {name: {"map": 0.5, "per_class": {"Goal": 0.5}} for name in TOLERANCES}
        change = {"value": 0.1, "interval": [0.05, 0.2], "better": 1.0}
        changes = {name: {"map": change, "per_class": {"Goal": change}} for name in TOLERANCES}
        intervals = {name: {"map": [0.4, 0.6]} for name in TOLERANCES}
        first = {**scores, "games": games, "bootstrap": {"resamples": 9, "level": 0.95, "intervals": intervals}}
        second = {**first, "bootstrap": {**first["bootstrap"], "differences": changes}}
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(comparison_table({"one": first, "two": second}))
        return console.export_text()

    assert "*" not in shown(7)
    assert "+10.00*" in shown(8)
    assert "certain" not in shown(7) + shown(8)


@pytest.mark.slow
def test_systems_may_be_named(labels: Path, predictions: Path, tmp_path: Path) -> None:
    words = [f"ours={predictions}", f"theirs={predictions / 'results_spotting.zip'}"]
    assert main(["evaluate", str(labels), *words, "--json", str(tmp_path / "out.json")]) == 0
    assert list(written(tmp_path / "out.json")) == ["ours", "theirs"]
    assert main(["evaluate", str(labels), str(predictions), str(predictions)]) == 2


@pytest.mark.parametrize("root", ["", "results_spotting.zip"])
def test_postprocess_is_taken_from_the_predictions(labels: Path, predictions: Path, tmp_path: Path, root: str) -> None:
    (predictions / "metrics.json").write_text(json.dumps({"tight": {}, "postprocess": {"window": 20}}))
    out = tmp_path / "scores.json"
    assert main(["evaluate", str(labels), str(predictions / root), "--json", str(out)]) == 0
    assert written(out)["postprocess"] == {"window": 20}


@pytest.mark.parametrize("content", ["", "[]", '{"postprocess": null}', '{"valid": {"postprocess": {"window": 1}}}'])
def test_other_metrics_files_are_left_alone(labels: Path, predictions: Path, tmp_path: Path, content: str) -> None:
    (predictions / "metrics.json").write_text(content)
    out = tmp_path / "scores.json"
    assert main(["evaluate", str(labels), str(predictions), "--json", str(out)]) == 0
    assert written(out)["postprocess"] == {}


def test_split_chooses_the_games(labels: Path, predictions: Path, tmp_path: Path) -> None:
    (labels / "splits.json").write_text(json.dumps({"test": [GAMES[0]], "valid": []}))
    out = tmp_path / "scores.json"
    assert main(["evaluate", str(labels), str(predictions), "--split", "test", "--json", str(out)]) == 0
    assert written(out)["games"] == 1
    assert main(["evaluate", str(labels), str(predictions), "--split", "valid"]) == 1


def test_own_task_is_a_file(tmp_path: Path) -> None:
    task = tmp_path / "hockey.yaml"
    task.write_text("{name: hockey, classes: [PUCK], label_file: Labels-hockey.json, fps: 25, monitor: map_at_1}")
    game = tmp_path / "rink" / "a" / "b" / "c"
    game.mkdir(parents=True)
    entry = {"gameTime": "1 - 00:01", "label": "PUCK", "position": 1000, "half": 1, "confidence": 1}
    (game / "Labels-hockey.json").write_text(json.dumps({"annotations": [entry]}))
    (game / "results_spotting.json").write_text(json.dumps({"predictions": [entry]}))
    root, out = str(tmp_path / "rink"), tmp_path / "scores.json"
    assert main(["evaluate", root, root, "--task", str(task), "--json", str(out)]) == 0
    assert written(out)["at_1"]["map"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent", "predictions"], "absent: no such folder or zip"),
        (["labels", "absent"], "absent: no such folder or zip"),
        (["labels", "labels"], "no league/season/one/results_spotting.json: predict this game"),
        (["labels", "predictions", "--task", "ball-2023"], "holds no Labels-ball.json"),
        (["labels", "predictions", "--task", "hockey"], "task 'hockey' is unknown"),
        (["labels", "predictions", "--split", "test"], "/Labels-v2.json: get the labels"),
        (["labels", "predictions", "--json", "labels"], "labels"),
    ],
)
@pytest.mark.usefixtures("predictions")
def test_mistake_gets_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["labels"],
        ["labels", "p", "--split", "tests"],
        ["labels", "p", "--resamples", "-1"],
        ["labels", "p", "--threshold", "nan"],
        ["labels", "p", "--threshold", "1.5"],
        ["labels", "p", "--frames", "-4"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *arguments])
    assert stop.value.code == 2


def test_help_explains_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--help"])
    assert stop.value.code == 0
    assert "official Average-mAP" in capsys.readouterr().out
