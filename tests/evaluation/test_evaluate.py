"""``evaluate``: files, runs and predictions in memory give the same scores; task and split are not asked for twice."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spotter.errors import UserError
from spotter.evaluation.average_map import average_map
from spotter.evaluation.evaluate import evaluate, load_evaluation
from spotter.io.exchange.collection import Collection, Video
from spotter.io.exchange.files import read_collection, write_collection
from spotter.io.predictions import write_scored
from spotter.io.scores import ScoresInfo, save_scores_info
from spotter.io.soccernet import SoccerNet
from spotter.predictions import Predictions
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Period, Spots

TASK = Task(name="own", classes=("Goal", "Foul"), label_file="Own.json", fps=2, monitor="tight_map")
SUPPRESSION = Postprocess("nms", 2.0)
GAMES = {"valid": "a/b/one", "test": "a/b/two"}
SPOTS = Spots(np.array([0, 1]), np.array([10.0, 30.0]), np.array([True, False]))
FOUND = HalfPredictions(np.array([0, 1, 1]), np.array([10.4, 31.0, 80.0]), np.array([0.9, 0.8, 0.3]))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    SoccerNet().write(tmp_path / "labels", {Half(game, 1): SPOTS for game in GAMES.values()}, TASK)
    (tmp_path / "labels" / "splits.json").write_text(json.dumps({split: [game] for split, game in GAMES.items()}))
    return tmp_path / "labels"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the folder of a run that predicted valid and test."""
    for split, game in GAMES.items():
        out = tmp_path / "run" / "predictions" / split
        metrics = {"postprocess": SUPPRESSION.to_dict()}
        write_scored(out, {Half(game, 1): FOUND}, TASK, metrics, split)
        save_scores_info(out / "scores", ScoresInfo(TASK, split, SUPPRESSION))
    return tmp_path / "run"


def expected(labels: Path, split: str) -> dict[str, object]:
    scores = average_map(SoccerNet().read(labels, [GAMES[split]], TASK), {Half(GAMES[split], 1): FOUND}, TASK)
    return {**scores, "postprocess": SUPPRESSION.to_dict(), "task": "own", "split": split}


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_run_says_its_own_task_and_split(labels: Path, run: Path, split: str) -> None:
    folder = run / "predictions" / split
    assert evaluate(labels, folder) == expected(labels, split)
    assert evaluate(labels, folder / "results_spotting.zip") == expected(labels, split)
    assert evaluate(labels, run, split=split) == expected(labels, split)


def test_of_a_run_the_test_split_is_scored(labels: Path, run: Path) -> None:
    assert evaluate(str(labels), str(run)) == expected(labels, "test")
    with pytest.raises(UserError, match="holds valid and test, not challenge"):
        evaluate(labels, run, split="challenge")


def test_metrics_alone_name_a_shipped_task(tmp_path: Path) -> None:
    task = Task.load("ball-2023")
    SoccerNet().write(tmp_path / "labels", {Half("a/b/c", 1): SPOTS}, task)
    write_scored(tmp_path / "out", {Half("a/b/c", 1): FOUND}, task, {"postprocess": {"window": 1}}, "test")
    scores = evaluate(tmp_path / "labels", tmp_path / "out")
    assert (scores["task"], scores["split"], scores["games"]) == ("ball-2023", "test", 1)
    assert scores["postprocess"] == {"window": 1}


def test_a_task_known_by_name_alone_is_asked_for(labels: Path, run: Path) -> None:
    shutil.rmtree(run / "predictions" / "test" / "scores")
    with pytest.raises(UserError, match="of task 'own', which spotter does not have: give its YAML as task"):
        evaluate(labels, run, split="test")
    assert evaluate(labels, run, task=TASK, split="test") == expected(labels, "test")


def test_predictions_in_memory_score_as_their_files(labels: Path, run: Path) -> None:
    in_memory = Predictions({Half(GAMES["test"], 1): FOUND}, TASK)
    scores = evaluate(labels, in_memory, split="test")
    assert scores == {**expected(labels, "test"), "postprocess": {}}
    with pytest.raises(UserError, match="no predictions of a/b/one"):
        evaluate(labels, in_memory)


def test_predictions_in_memory_are_of_another_task_by_their_names(
    labels: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As those of files; what the task does not have is counted, and a strict one refuses it."""
    in_memory = Predictions({Half(game, 1): FOUND for game in GAMES.values()}, replace(TASK, classes=("Foul", "Dive")))
    in_memory.to_json(tmp_path / "out")
    from_files = evaluate(labels, tmp_path / "out", task=TASK)
    assert from_files["tight"]["per_class"] == {"Goal": 0.0, "Foul": 0.0}, "at 10 s, where the labels have a goal"
    assert evaluate(labels, in_memory, task=TASK) == from_files
    assert "predictions: skipped 4 outside the task own: 'Dive' (4)" in caplog.text
    with pytest.raises(UserError, match="outside the task own: 'Dive'"):
        in_memory.as_task(replace(TASK, strict=True))


def test_teams_in_memory_are_those_of_another_task_by_their_names() -> None:
    teams = replace(TASK, teams=("home", "away"))
    rows = HalfPredictions(FOUND.label, FOUND.time, FOUND.confidence, np.array([0, 1, -1]))
    turned = Predictions({Half("a", 1): rows}, teams).as_task(replace(teams, teams=("away", "home")))
    assert turned[Half("a", 1)].sides.tolist() == [1, 0, -1]
    assert turned.as_task(TASK)[Half("a", 1)].team is None


def test_single_files_are_a_match_whatever_they_are_called(labels: Path, tmp_path: Path) -> None:
    predictions = Predictions({Half("my match", 1): FOUND}, TASK)
    predictions.to_json(tmp_path / "results_spotting.json")
    file = labels / GAMES["test"] / "Own.json"
    from_files = evaluate(file, tmp_path / "results_spotting.json", task=TASK)
    assert from_files == evaluate(file, predictions, task=TASK) == {**from_files, "games": 1}
    assert from_files["tight"] == expected(labels, "test")["tight"]


def test_fewer_games_than_the_split_has_are_counted(labels: Path, run: Path, caplog: pytest.LogCaptureFixture) -> None:
    (labels / "splits.json").write_text(json.dumps({"test": list(GAMES.values())}))
    with caplog.at_level(logging.WARNING):
        assert evaluate(labels, run)["games"] == 1
    assert "lacks 1 of the 2 games of split test, not scored" in caplog.text


def test_an_own_match_lacks_no_game_of_a_split(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_scored(tmp_path, {Half("my match", 1): FOUND}, Task.load("soccernet-v2"), {}, "test")
    with caplog.at_level(logging.WARNING):
        assert load_evaluation(None, [tmp_path], games_of_predictions=True).predictions[0]
    assert not caplog.text


def test_different_splits_and_tasks_are_not_mixed(labels: Path, run: Path) -> None:
    folders = [run / "predictions" / split for split in GAMES]
    with pytest.raises(UserError, match="different splits, valid and test"):
        load_evaluation(labels, folders)
    save_scores_info(folders[0] / "scores", ScoresInfo(Task.load("ball-2023"), "test", SUPPRESSION))
    with pytest.raises(UserError, match="different tasks, ball-2023 and own"):
        load_evaluation(labels, folders)


def test_a_half_without_any_prediction_is_said(labels: Path, run: Path, caplog: pytest.LogCaptureFixture) -> None:
    game, folder = GAMES["test"], run / "predictions" / "test"
    evaluate(labels, folder)
    assert not caplog.records
    SoccerNet().write(labels, {Half(game, 1): SPOTS, Half(game, 2): SPOTS}, TASK)
    evaluate(labels, folder)
    (record,) = caplog.records
    said = f"{folder}: 1 of 2 halves with labels have no prediction, first {game}, half 2; all of their spots"
    assert record.getMessage().startswith(said)


def test_a_zip_and_a_file_of_labels_have_their_own_splits(labels: Path, run: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "packed"), "zip", labels)
    collection = read_collection(labels, TASK)
    write_collection(tmp_path / "all", collection, "osl", TASK.label_file)
    for split in GAMES:
        for source in (tmp_path / "packed.zip", tmp_path / "all" / f"annotations_{split}.json"):
            found = run / "predictions" / split
            assert evaluate(source, found, task=TASK, split=split) == expected(labels, split)


def test_halves_that_begin_elsewhere_than_by_the_labels_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    half, rows = Half("m", 1), [{"label": "Goal", "position": 4000}]
    file = Video(half, rows, [{"type": "video", "path": "m.mp4"}], period=Period(60.0))
    write_collection(tmp_path / "labels.json", Collection([file], []), "osl", "")
    for start, said in ((60.0, None), (55.0, "1 of 1 halves begin elsewhere"), (None, "at 0 s and not at 60 s")):
        caplog.clear()
        found = replace(FOUND, period=None if start is None else Period(start))
        evaluate(tmp_path / "labels.json", Predictions({half: found}, TASK), task=TASK)
        assert [str(said) in line for line in caplog.messages] == ([] if said is None else [True])
