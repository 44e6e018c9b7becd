"""Team-mAP equals the official evaluator's, also where an action is missing, and refuses what that refuses."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.cli import main
from spotter.errors import UserError
from spotter.evaluation.average_map import average_map
from spotter.evaluation.bootstrap import score_resamples
from spotter.evaluation.evaluate import evaluate, load_evaluation
from spotter.evaluation.metrics import flatten, monitored
from spotter.evaluation.report.summary import compare_scores
from spotter.inference.decode import decode
from spotter.io.scores import Scores
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots
from tests.helpers import official, official_team
from tests.helpers.simulated import Entry

TASK = Task.load("ball-2025")
GAMES = ("league/season/one", "league/season/two")


def simulate(seed: int, classes: tuple[str, ...], spots: int = 150) -> dict[str, tuple[list[Entry], list[Entry]]]:
    rng = np.random.default_rng(seed)
    games = {}
    for game in GAMES:
        at, name = rng.integers(0, 240_000, spots), rng.choice(classes, spots)
        team, seen = rng.choice(TASK.teams, spots), rng.choice(["visible", "not shown"], spots, p=[0.85, 0.15])
        columns = list(zip(at.tolist(), name.tolist(), team.tolist(), seen.tolist(), strict=True))
        labels = [
            {"gameTime": "1 - 00:00", "label": n, "position": str(t), "team": s, "visibility": v}
            for t, n, s, v in columns
        ]
        found = [
            {
                "gameTime": "1 - 00:00",
                "label": n if rng.random() < 0.8 else str(rng.choice(classes)),
                "position": max(0, t + int(rng.normal(0, 500))),
                "half": int(rng.integers(1, 3)),
                "confidence": float(rng.random()),
                "team": s if rng.random() < 0.8 else str(rng.choice(TASK.teams)),
            }
            for t, n, s, _ in columns * 2
        ]
        games[game] = labels, found
    return games


def score(folder: Path, games: dict[str, tuple[list[Entry], list[Entry]]], task: Task = TASK) -> Any:
    labels = official.write_labels(folder / "labels", task, {game: pair[0] for game, pair in games.items()})
    found = official.write_predictions(folder / "found.zip", {game: pair[1] for game, pair in games.items()})
    return evaluate(labels, found, task=task)


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for name, form in theirs.items():
        for key, value in form.items():
            for mine, other in (
                zip(ours[name][key].values(), value.values(), strict=True)
                if isinstance(value, dict)
                else [(ours[name][key], value)]
            ):
                assert (mine is None) == math.isnan(other), (name, key)
                assert mine is None or mine == pytest.approx(other, abs=1e-9, rel=0), (name, key)


@pytest.mark.parametrize("seed", range(2))
def test_every_number_is_the_kits(tmp_path: Path, seed: int) -> None:
    games = simulate(seed, TASK.classes)
    ours = score(tmp_path, games)
    compare(ours, official_team.scores(TASK.classes, games, ["at_1"]))
    assert ours["at_1"]["map_team"] is not None
    assert ours["at_1"]["map_team"] == ours["at_1"]["map_team_present"]
    assert ours["at_1"]["map_team"] < ours["at_1"]["map"]


def test_a_missing_action_leaves_no_official_number_but_one_to_choose_by(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    games = simulate(3, TASK.classes[:10], spots=80)
    ours = score(tmp_path, games)
    compare(ours, official_team.scores(TASK.classes, games, ["at_1"]))
    form = ours["at_1"]
    assert form["map_team"] is None
    assert form["per_class_team"]["GOAL"] is None
    known = [value for value in form["per_class_team"].values() if value is not None]
    assert form["map_team_present"] == pytest.approx(np.mean(known), abs=1e-12)
    assert monitored(ours, "team_map_at_1") == monitored(ours, "team_map_at_1_present") == form["map_team_present"]
    for monitor in ("team_map_at_1", "team_map_at_1_present"):
        task = replace(TASK, monitor=monitor)
        assert compare_scores({"ours": ours}, task)[0]["per_class"] == form["per_class_team"]
    assert "team_map_at_1" not in flatten(ours)
    assert flatten(ours)["team_map_at_1_present"] == form["map_team_present"]
    assert "at_1_team_ap/GOAL" not in flatten(ours)
    said = [record.message for record in caplog.records if "Team-mAP" in record.message]
    assert len(said) == 1
    assert "FREE KICK, GOAL" in said[0]


@pytest.mark.parametrize(
    ("where", "change", "said"),
    [
        (0, {"label": "Tea"}, "'Tea'"),
        (1, {"label": "Tea"}, "'Tea'"),
        (0, {"team": "home"}, "has the team 'home', not left or right"),
        (0, {"team": None}, "has the team None, not left or right"),
        (1, {"team": "middle"}, "has the team 'middle', not left or right"),
    ],
)
def test_what_the_kit_refuses_is_refused(tmp_path: Path, where: int, change: dict[str, Any], said: str) -> None:
    games = simulate(4, TASK.classes, spots=5)
    games[GAMES[1]][where][3].update(change)
    with pytest.raises(UserError, match=said):
        score(tmp_path, games)


def test_other_tasks_with_teams_leave_out_what_names_none(tmp_path: Path) -> None:
    lenient = Task.load({**TASK.to_dict(), "strict": False})
    games = simulate(5, TASK.classes, spots=40)
    for labels, found in games.values():
        labels.append({**labels[0], "team": "not applicable", "position": "250000"})
        found.append({**found[0], "team": "", "position": 250_000, "half": 1})
    scores = score(tmp_path, games, lenient)
    assert scores["at_1"]["map_team_present"] > 0


def test_soccernet_v2_may_have_teams_and_keeps_its_numbers(tmp_path: Path) -> None:
    task = Task.load("soccernet-v2-team")
    labels = Spots(np.array([2, 8]), np.array([10.0, 20.0]), np.ones(2, bool), np.array(["home", "not applicable"]))
    found = HalfPredictions(np.array([2, 8]), np.array([10.0, 20.0]), np.array([0.9, 0.8]), np.array([1, -1]))
    half = Half("game", 1)
    with_teams = average_map({half: labels}, {half: found}, task)
    without = average_map({half: labels}, {half: found}, Task.load("soccernet-v2"))
    assert {key: with_teams["tight"][key] for key in without["tight"]} == without["tight"]
    assert with_teams["tight"]["per_class_team"]["Goal"] == 0, "the away team is predicted, the home team scored"
    assert with_teams["tight"]["per_class_team"]["Ball out of play"] is None


def test_decoded_scores_have_teams_and_the_better_of_two_comes_last() -> None:
    logits = np.full((20, 24), -20.0, np.float32)
    logits[10, 2], logits[10, 3], logits[15, 0] = 1.0, -1.0, 0.0
    found = decode(Scores(logits, None, 25.0), Postprocess("nms", 1.0, 0.1), TASK.fps, TASK.sides)
    assert found.team is not None
    assert list(zip(found.label.tolist(), found.team.tolist(), strict=True)) == [(1, 1), (1, 0), (0, 0)]
    windows = Postprocess("nms", tuple(0.1 * k for k in range(12)), 0.1)
    assert len(decode(Scores(logits, None, 25.0), windows, TASK.fps, TASK.sides)) == 3


def test_resamples_score_teams_as_their_games_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where a game lacks actions that the others have; and the comparison of two systems shows them by team."""
    games = simulate(5, TASK.classes) | {"league/season/three": simulate(6, TASK.classes[:4])[GAMES[0]]}
    score(tmp_path / "all", games)
    labels, found = tmp_path / "all" / "labels", tmp_path / "all" / "found.zip"
    evaluation = load_evaluation(labels, [found], task=TASK)
    weights = np.concatenate([np.ones((1, 3)), np.eye(3)])
    resampled = score_resamples(evaluation.labels, evaluation.predictions[0], TASK, weights)
    order = list(dict.fromkeys(half.game for half in evaluation.labels))
    for row, chosen in zip(resampled["at_1_team"], [order, *([game] for game in order)], strict=True):
        part = {half: spots for half, spots in evaluation.labels.items() if half.game in chosen}
        form = average_map(part, evaluation.predictions[0], TASK)["at_1"]
        assert row[0] == pytest.approx(form["map_team_present"], abs=1e-12)
        assert row[1:] == pytest.approx([value or 0.0 for value in form["per_class_team"].values()], abs=1e-12)
    assert main(["evaluate", str(labels), f"a={found}", f"b={found}", "--task", "ball-2025", "--resamples", "20"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("by team") == 2, "scores, and their change"
