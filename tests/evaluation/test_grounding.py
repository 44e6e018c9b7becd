"""Replay grounding is scored as the official evaluator scores it, quirk by quirk, and beside it honestly."""

from __future__ import annotations

import json
import logging
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from SoccerNet.Evaluation import ReplayGrounding

import spotter
from spotter.cli import main
from spotter.errors import UserError
from spotter.evaluation.grounding import pair, suppress
from spotter.io.cameras import find_replays, read_cameras
from spotter.io.formats import format_of
from spotter.io.grounding import read_answers
from spotter.tasks import Task
from spotter.types import Half

TASK = Task.load("replay-grounding")
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "grounding_metric.json").read_text())
GAMES = [f"league/season/game {number}" for number in range(3)]


def write(root: Path, name: str, key: str, games: dict[str, Any]) -> Path:
    for game, entries in games.items():
        (root / game).mkdir(parents=True, exist_ok=True)
        (root / game / name).write_text(json.dumps({key: entries}))
    return root


def shots(rows: list[Any]) -> list[dict[str, Any]]:
    """Return annotations of (gameTime, link or None)."""
    return [{"gameTime": clock, **({} if link is None else {"link": link})} for clock, link in rows]


@pytest.fixture
def golden(tmp_path: Path) -> tuple[Path, Path]:
    labels = {f"l/s/{game}": shots(rows) for game, rows in GOLDEN["labels"].items()}
    answers = {f"l/s/{game}": rows for game, rows in GOLDEN["detections"].items()}
    return (
        write(tmp_path / "labels", TASK.label_file, "annotations", labels),
        write(tmp_path / "answers", "results_grounding.json", "Replays", answers),
    )


def official(labels: Path, answers: Path, games: list[str], metric: str, name: str) -> float:
    with (
        mock.patch.object(ReplayGrounding, "tqdm", iter),
        mock.patch.object(ReplayGrounding, "getListGames", return_value=games),
        mock.patch.object(np, "float", float, create=True),
        np.errstate(all="ignore"),
    ):
        return float(
            ReplayGrounding.evaluate(str(labels), str(answers), prediction_file=name, split="test", metric=metric)[
                "a_AP"
            ]
        )


def test_golden_case(golden: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scores.json"
    assert main(["evaluate", *map(str, golden), "--task", "replay-grounding", "--json", str(out)]) == 0
    scores = json.loads(out.read_text())
    for name in ("tight", "loose"):
        assert scores[name]["average_ap"] == pytest.approx(GOLDEN["result"][name], abs=1e-9)
        expected = GOLDEN["result"][f"{name}_per_delta"]
        assert list(scores[name]["per_tolerance"].values()) == pytest.approx(expected, abs=1e-9)
        assert scores[name]["average_ap_all"] == scores[name]["average_ap"], "all are answered"
    assert (scores["replays"], scores["answered"], scores["games"]) == (5, 5, 2)
    assert "56.06" in capsys.readouterr().out


def test_files_beside_answers_say_what_they_are(
    golden: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, answers = map(str, golden)
    scores = spotter.evaluate(labels, answers, task="replay-grounding")
    (golden[1] / "metrics.json").write_text('{"task": "replay-grounding"}')
    assert main(["evaluate", labels, answers, "--json", str(tmp_path / "scores.json")]) == 0
    assert json.loads((tmp_path / "scores.json").read_text()) == scores == spotter.evaluate(labels, answers)
    spots = tmp_path / "spots"
    write(spots, "results_spotting.json", "predictions", {"l/s/0": []})
    (spots / "metrics.json").write_text('{"task": "replays"}')
    capsys.readouterr()
    for words in (["evaluate", labels, str(spots)], ["report", str(spots), "--labels", labels]):
        assert main(words) == 1
        assert "answer the replays by spotter ground, and evaluate what it writes" in capsys.readouterr().err


def test_an_unanswered_replay_is_dropped_officially_and_counts_honestly(golden: tuple[Path, Path]) -> None:
    labels, answers = golden
    path = answers / "l/s/0/results_grounding.json"
    replays = json.loads(path.read_text())["Replays"]
    path.write_text(json.dumps({"Replays": replays[:2] + replays[3:]}))
    scores = spotter.evaluate(labels, answers, task="replay-grounding")
    assert scores["tight"]["average_ap"] == pytest.approx(0.7795, abs=1e-4)
    assert scores["tight"]["average_ap_all"] < scores["tight"]["average_ap"]
    assert scores["answered"] == scores["replays"] - 1


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["results_grounding.json", "Detection-replays.json"])
def test_files_are_taken_as_the_server_does(golden: tuple[Path, Path], tmp_path: Path, name: str, packed: bool) -> None:
    labels, answers = golden
    for file in answers.rglob("*.json"):
        file.rename(file.with_name(name))
    if packed:
        with zipfile.ZipFile(tmp_path / "answers.zip", "w") as archive:
            for file in answers.rglob("*.json"):
                archive.write(file, file.relative_to(answers))
        answers = tmp_path / "answers.zip"
    scores = spotter.evaluate(labels, answers, task="replay-grounding")
    assert scores["loose"]["average_ap"] == pytest.approx(GOLDEN["result"]["loose"], abs=1e-9)


SECONDS = st.integers(0, 40)
CLOCK = st.tuples(st.sampled_from("12"), SECONDS).map(lambda each: f"{each[0]} - 00:{each[1]:02d}")
LABELS = st.sampled_from(["Goal", "Foul", "I don't know"])
LINK = st.builds(
    lambda label, half, second: {"label": label, "half": half, "time": f"00:{second:02d}"},
    LABELS,
    st.sampled_from("12"),
    SECONDS,
)
SCORE = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 0.5025, 1.0, 1.5]) | st.floats(0, 1)
ANSWER = st.fixed_dictionaries({"time": st.floats(-3, 45) | st.integers(0, 40), "score": SCORE})
REPLAY = st.fixed_dictionaries(
    {"half": st.sampled_from([1, 2]), "start": SECONDS, "end": SECONDS, "detection": st.lists(ANSWER, max_size=8)}
)
FIRST = ("1 - 00:00", None)  # without it the official evaluator stops with an error


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.tuples(CLOCK, st.none() | LINK), max_size=8), min_size=1, max_size=3),
    st.lists(st.lists(REPLAY, max_size=5), min_size=3, max_size=3),
)
def test_any_files_score_as_officially(tmp_path_factory: Any, labels: list[Any], answers: list[Any]) -> None:
    root, games = tmp_path_factory.mktemp("case"), GAMES[: len(labels)]
    # Every replay ends where some shot may, so that most are paired.
    rows = {game: shots([FIRST, *each]) for game, each in zip(games, labels, strict=True)}
    where = write(root / "labels", TASK.label_file, "annotations", rows)
    given = dict(zip(games, answers, strict=False))
    ends = [int(row["gameTime"][-2:]) for each in rows.values() for row in each]
    for number, replay in enumerate(replay for each in given.values() for replay in each):
        replay["end"] = ends[number % len(ends)]
    found = write(root / "answers", "results_grounding.json", "Replays", given)
    scores = spotter.evaluate(where, found, task="replay-grounding")
    paired = pair(read_cameras(where, games, TASK), read_answers(found, games))
    if len(paired.truth):
        for name in ("tight", "loose"):
            expected = official(where, found, games, name, "results_grounding.json")
            assert scores[name]["average_ap"] == pytest.approx(expected, abs=1e-9)
            assert scores[name]["average_ap_all"] <= scores[name]["average_ap"]
    else:
        assert scores["tight"]["average_ap"] == 0


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0, 0.1, 0.2, 0.3, 1])), max_size=30), st.integers(1, 9))
def test_suppression_in_rounds_is_the_official_one(rows: list[tuple[int, float]], radius: int) -> None:
    cells = np.full((100, 1), -1.0)
    for frame, score in rows:
        cells[frame] = score
    frame = np.flatnonzero(cells >= 0)
    kept = suppress(frame, cells[frame, 0], radius)
    assert frame[kept].tolist() == np.flatnonzero(ReplayGrounding.NMS(cells, 2 * radius) >= 0).tolist()


def test_replays_are_found_and_what_is_left_out_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def link(label: str = "Goal", half: str = "1", **more: str) -> dict[str, str]:
        return {"label": label, "half": half, "time": "09:40", **more}

    rows = [
        *[("1 - 00:07", link()), ("1 - 10:00", None), ("1 - 10:12", link(position="580123"))],
        *[("1 - 10:20", link("Handball")), ("1 - 10:30", link(half="2")), ("1 - 10:30", link()), ("2 - 00:09", None)],
    ]
    root = write(tmp_path, TASK.label_file, "annotations", {"g": shots(rows)})
    with caplog.at_level(logging.WARNING):
        replays = find_replays(read_cameras(root, ["g"], TASK))["g"]
    assert list(zip(replays.start, replays.end, strict=True)) == [(0, 7), (600, 612)]
    assert replays.time.tolist() == [580, 580.123]
    assert "2 replays are found, 3 are left out: 1 of a class outside the task, 1 of another half, 1 of no length" in (
        caplog.text
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"detection": [{"time": 3500, "score": 1}]}, "3500 s of a half"),
        ({"detection": None}, "entry 1 has no list 'detection'"),
        ({"detection": [{"time": 1, "score": None}]}, "answers: entry 1 has no score"),
        ({"detection": [{"score": 1}]}, "answers: entry 1 lacks 'time'"),
        ({"end": "soon"}, "entry 1 has the end 'soon', not a whole second"),
    ],
)
def test_odd_answers_are_named(golden: tuple[Path, Path], change: dict[str, Any], said: str) -> None:
    labels, answers = golden
    path = answers / "l/s/0/results_grounding.json"
    replays = json.loads(path.read_text())["Replays"]
    replays[0] |= change
    path.write_text(json.dumps({"Replays": replays}))
    with pytest.raises(UserError, match=said):
        spotter.evaluate(labels, answers, task="replay-grounding")


def test_missing_games_are_named(golden: tuple[Path, Path]) -> None:
    labels, answers = golden
    (answers / "l/s/0/results_grounding.json").unlink()
    with pytest.raises(UserError, match=r"no l/s/0/results_grounding.json: answer the replays"):
        spotter.evaluate(labels, answers, task="replay-grounding")
    with pytest.raises(UserError, match=r"holds neither results_grounding.json nor"):
        spotter.evaluate(labels, labels, task="replay-grounding")


def test_camera_files_are_labels_of_ordinary_tasks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"gameTime": f"1 - 00:{second}", "position": f"{second}480", "label": camera, "change_type": "smooth"}
        for second, camera in ((10, "Public"), (20, "Main camera left"), (30, "I don't know"))
    ]
    write(tmp_path, TASK.label_file, "annotations", {"g": rows})
    for name, classes in (("camera-shots", [11, 2]), ("camera-changes", [1, 1, 1])):
        task = Task.load(name)
        spots = format_of(task).read(tmp_path, ["g"], task)[Half("g", 1)]
        assert spots.label.tolist() == classes
        assert spots.time[:2].tolist() == [10.48, 20.48]
    assert main(["check", str(tmp_path)]) == 0
    assert "1 label file" in capsys.readouterr().out
