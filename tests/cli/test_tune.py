"""``spotter tune`` finds the suppression that the scores call for."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest
from omegaconf import OmegaConf

from spotter.cli import main
from spotter.cli.tune import _override
from spotter.evaluation.average_map import average_map
from spotter.evaluation.metrics import monitored
from spotter.inference.decode import apply_displacement, decode, round_confidence
from spotter.inference.tune import Trial, Tuner, best, best_per_class
from spotter.io.exchange.files import read_collection, write_collection
from spotter.io.formats import has_labels
from spotter.io.scores import Scores, ScoresInfo, load_scores, save_scores, save_scores_info
from spotter.io.soccernet import SoccerNet
from spotter.settings import METHODS, Postprocess
from spotter.tasks import Task
from spotter.types import Half
from tests.helpers.configs import composed, configs

TASK = Task("pitch", ("PASS", "DRIVE"), "Labels.json", 5, "map_at_2")
WRITTEN = Postprocess("nms", 60.0)
GAMES = ("league/season/a - b", "league/season/c - d")


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Return a root of labels."""
    for seed, game in enumerate(GAMES):
        rng = np.random.default_rng(seed)
        annotations = [
            {"gameTime": f"{half} - 00:00", "position": str(time), "label": name, "visibility": "visible"}
            for half in (1, 2)
            for name, gap in (("PASS", 4000), ("DRIVE", 12000))
            for time in np.cumsum(rng.integers(gap, 2 * gap, 20)).tolist()
        ]
        path = tmp_path / "labels" / game / TASK.label_file
        path.parent.mkdir(parents=True)
        path.write_bytes(orjson.dumps({"annotations": annotations}))
    return tmp_path / "labels"


@pytest.fixture
def scores(tmp_path: Path, labels: Path) -> Path:
    """Return a folder of scores: a bump of three seconds around every label, with noise."""
    folder, rng = tmp_path / "scores", np.random.default_rng(0)
    for half, spots in SoccerNet().read(labels, GAMES, TASK).items():
        time = np.arange(2500) / 5
        logits = rng.normal(-4, 0.7, (2500, 2))
        for label, centre in zip(spots.label, spots.time, strict=True):
            logits[:, label] += 6 * np.exp(-(((time - centre) / 1.5) ** 2))
        save_scores(folder, half, Scores(logits.astype(np.float32), None, fps=5.0))
    save_scores_info(folder, ScoresInfo(TASK, "valid", WRITTEN))
    return folder


def test_the_winner_is_the_best_and_holds_without_the_command(
    scores: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", str(scores), "--labels", str(labels), "--json", str(tmp_path / "out.json")]) == 0
    report = orjson.loads((tmp_path / "out.json").read_bytes())
    winner = Postprocess.load(report["postprocess"], classes=2)
    predictions = {half: decode(raw, winner, TASK.fps) for half, raw in load_scores(scores)}
    score = monitored(average_map(SoccerNet().read(labels, GAMES, TASK), predictions, TASK), "map_at_2")
    assert report["monitor"] == "map_at_2"
    assert report["best"]["map_at_2"]["map_at_2"] == score == max(row["map_at_2"] for row in report["trials"])
    assert report["best"]["loose_map"]["loose_map"] == max(row["loose_map"] for row in report["trials"])
    assert {"method": "nms", "window": 60.0, "threshold": 0.0}.items() <= report["trials"][0].items()
    assert report["trials"][0]["map_at_2"] < score
    assert {row["method"] for row in report["trials"]} == set(METHODS)
    shown = capsys.readouterr().out
    line = next(line for line in shown.splitlines() if line.startswith("best map_at_2"))
    words = shlex.split(line.split(": ")[1])
    assert words[:2] == [f"postprocess={winner.method}", f"postprocess.window={winner.window}"]
    assert words[2:] == [f"postprocess.threshold={winner.threshold}", f"postprocess.smooth={winner.smooth}"]


@pytest.mark.parametrize("smooth", [0.0, 0.3])
@pytest.mark.parametrize("method", METHODS)
def test_what_is_printed_says_how_confidences_are_smoothed(method: str, smooth: float) -> None:
    winner = Postprocess(method, 2.0, 0.1, smooth)
    with configs():
        cfg = composed("train", *shlex.split(_override(winner)))
    assert Postprocess.load(OmegaConf.to_container(cfg.postprocess)) == winner


def test_windows_of_classes_come_last(
    scores: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCCERNET_ROOT", str(labels))
    assert main(["tune", str(scores), "--per-class", "--json", str(tmp_path / "out.json")]) == 0
    last = orjson.loads((tmp_path / "out.json").read_bytes())["trials"][-1]
    assert len(last["window"]) == 2
    assert "per class" in capsys.readouterr().out


def test_every_trial_equals_a_run_of_its_own(scores: Path, labels: Path) -> None:
    """A threshold cut off afterwards leaves what suppression at that threshold leaves."""
    halves = dict(list(load_scores(scores))[:1])
    grids = {half: apply_displacement(raw) for half, raw in halves.items()}
    tuner = Tuner(grids, 2, lambda predictions: {str(half): rows for half, rows in predictions.items()})
    trials = list(tuner.search(WRITTEN, lambda trial: 0.0))
    assert len(trials) == tuner.trials(per_class=False)
    for trial in trials:
        for half, raw in halves.items():
            spots = trial.metrics[str(half)]
            expected = decode(raw, trial.postprocess, 2)
            found = round_confidence(spots.take(np.argsort(spots.time, kind="stable")))
            assert np.array_equal(expected.time, found.time)
            assert np.array_equal(expected.label, found.label)
            assert np.array_equal(expected.confidence, found.confidence)


def test_of_equal_trials_the_higher_threshold_wins() -> None:
    trials = [Trial(Postprocess("nms", 1.0, threshold), {}) for threshold in (0.0, 0.1, 0.01)]
    assert best(trials, lambda trial: 1.0) is trials[1]


def test_each_class_takes_its_best_window_of_the_method() -> None:
    trials = [
        Trial(Postprocess(method, window, 0.0), {"values": values})
        for method, window, values in (
            ("nms", 1.0, [0.5, 0.2, 0]),
            ("nms", 2.0, [0.4, 0.3, 0]),
            ("soft_nms", 3.0, [1, 1, 1]),
        )
    ]
    found = best_per_class(trials, trials[0], lambda trial: trial.metrics["values"])
    assert found == Postprocess("nms", (1.0, 2.0, 1.0), 0.0)


def test_a_run_folder_is_tuned_on_its_valid_split(scores: Path, labels: Path, tmp_path: Path) -> None:
    shutil.copytree(scores, tmp_path / "run" / "predictions" / "valid" / "scores")
    words = ["--labels", str(labels), "--json"]
    assert main(["tune", str(scores), *words, str(tmp_path / "one.json")]) == 0
    assert main(["tune", str(tmp_path / "run"), *words, str(tmp_path / "two.json")]) == 0
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_mistakes_are_one_line(
    scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOCCERNET_ROOT", raising=False)
    assert main(["tune", str(scores)]) == 2
    assert "give --labels ROOT or set SOCCERNET_ROOT" in capsys.readouterr().err
    assert main(["tune", str(tmp_path / "nowhere"), "--labels", str(tmp_path)]) == 1
    assert "nowhere: no such folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["tune", str(tmp_path / "empty"), "--labels", str(tmp_path)]) == 1
    assert "no raw scores here, nor in scores/ or predictions/valid/scores/" in capsys.readouterr().err
    assert main(["tune", str(scores), "--labels", str(tmp_path)]) == 1
    assert GAMES[0] in capsys.readouterr().err
    save_scores_info(scores, ScoresInfo(Task.load("replays"), "valid", WRITTEN))
    assert main(["tune", str(scores), "--labels", str(tmp_path)]) == 1
    assert "answer the replays by spotter ground" in capsys.readouterr().err


def test_missing_halves_are_named(scores: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether the scores' own list has them, or only labels do: tuning on half of a match would pass for all of it."""
    gone = sorted(scores.rglob("*.npz"))[-1]
    half = Half(gone.parent.relative_to(scores).as_posix(), int(gone.stem))
    gone.unlink()
    for listed in (None, (*(found for found, _ in load_scores(scores)), half)):
        save_scores_info(scores, ScoresInfo(TASK, "valid", WRITTEN, listed))
        assert main(["tune", str(scores), "--labels", str(labels)]) == 1
        said = capsys.readouterr().err
        assert f"{scores}: lacks the scores of 1 of " in said
        assert f"first {half.game}, half {half.number}" in said


def test_labels_may_be_a_file_in_another_format(scores: Path, labels: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    write_collection(file, read_collection(labels, TASK), "osl", "")
    for root in (labels, file):
        assert has_labels(root, GAMES[:1], TASK)
        assert not has_labels(root, ["another"], TASK)
        assert main(["tune", str(scores), "--labels", str(root), "--json", str(tmp_path / f"{root.name}.tuned")]) == 0
    first, second = (orjson.loads(path.read_bytes()) for path in tmp_path.glob("*.tuned"))
    assert first == second
