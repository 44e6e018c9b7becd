"""Pseudo-labels: predictions of a trained system teach another, from thresholds on that labelled games choose."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from spotter.data.features import FeatureSource
from spotter.io.predictions import write_predictions
from spotter.io.soccernet import SoccerNet
from spotter.tasks import Task
from spotter.training.datamodule import SpottingDataModule
from spotter.training.pseudo import PseudoDataModule, PseudoLabels, choose_thresholds
from spotter.types import Half, HalfPredictions, Period, Spots
from tests.conftest import call
from tests.helpers.predicting import history
from tests.helpers.videos import write_matches

TASK = Task.load("ball-2023")
GAMES = {"valid": ["l/s/b"], "challenge": ["l/s/c", "l/s/d", "l/s/e"]}


@pytest.fixture(scope="module")
def matches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return matches, two of which nobody has labelled."""
    root = write_matches(tmp_path_factory.mktemp("matches"))
    for name in "de":
        shutil.copytree(root / "l/s/c", root / f"l/s/{name}")
        (root / f"l/s/{name}" / TASK.label_file).unlink()
    splits = orjson.loads((root / "splits.json").read_bytes())
    (root / "splits.json").write_bytes(orjson.dumps({**splits, "challenge": GAMES["challenge"][1:]}))
    return root


@pytest.fixture(scope="module")
def predicted(matches: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return predictions that find each spot of the labels of game b with 0.7, and noise below; passes are surer."""
    folder = tmp_path_factory.mktemp("predicted")
    spots = SoccerNet().read(matches, ["l/s/b"], TASK)[Half("l/s/b", 1)]
    noise = np.arange(0.1, 10, 0.5)
    for split, games in GAMES.items():
        rows = HalfPredictions(
            np.concatenate([spots.label, np.arange(len(noise)) % 2]),
            np.concatenate([spots.time, noise]),
            np.concatenate([0.7 + 0.2 * (spots.label == 0), np.full(len(noise), 0.3)]),
        )
        write_predictions(folder / split, {Half(game, 1): rows for game in games}, TASK)
    return folder / "challenge"


@pytest.fixture
def words(matches: Path) -> list[str]:
    """Return overrides of ``train.py`` for a run of seconds."""
    return [
        *("model=e2e_spot", "model.pretrained=false", "model.clips.clip_len=8", "model.clips.per_epoch=8"),
        *("data=ball", f"data.root={matches}", "data.fps=12.5", "data.size=[32,48]", "data.batch_size=4"),
        *("data.eval_batch_size=4", "data.num_workers=0", "trainer=cpu", "trainer.max_epochs=1", "logger=none"),
    ]


def test_thresholds_are_those_of_the_best_f1(matches: Path, predicted: Path) -> None:
    thresholds = choose_thresholds(matches, predicted.parent / "valid", TASK)
    assert 0.3 < thresholds["DRIVE"] <= 0.7 < thresholds["PASS"] <= 0.9
    spots = SoccerNet().read(matches, ["l/s/b"], TASK)[Half("l/s/b", 1)]
    found = PseudoLabels(predicted, thresholds).read(matches, ["l/s/d"], TASK)[Half("l/s/d", 1)]
    assert found.label.tolist() == spots.label.tolist()
    assert found.time.tolist() == spots.time.tolist()
    nothing = PseudoLabels(predicted, dict.fromkeys(TASK.classes, 2.0)).read(matches, ["l/s/d"], TASK)
    assert not any(len(spots) for spots in nothing.values())


def test_a_class_without_labels_is_not_learned(matches: Path, predicted: Path) -> None:
    task = Task.load({**TASK.to_dict(), "classes": ["PASS", "DRIVE", "SHOT"]})
    assert choose_thresholds(matches, predicted.parent / "valid", task)["SHOT"] > 1


def test_halves_that_share_a_file_are_read_where_they_lie(tmp_path: Path) -> None:
    rows = HalfPredictions(np.array([0, 1] * 10), np.arange(20) * 5.0, np.full(20, 0.9))
    spots = Spots(rows.label, rows.time, np.ones(20, bool))
    for game in "abm":
        (tmp_path / "root" / game).mkdir(parents=True)
        np.save(tmp_path / "root" / game / "1_f.npy", np.zeros((400, 4), np.float32))
    SoccerNet().write(tmp_path / "root", {Half("a", 1): spots, Half("b", 1): spots}, TASK)
    (tmp_path / "root" / "splits.json").write_bytes(orjson.dumps({"train": ["a"], "valid": ["b"]}))
    write_predictions(tmp_path / "valid", {Half("b", 1): rows}, TASK)
    placed = {Half("m", 1): Period(60.0, 170.0), Half("m", 2): Period(200.0, 350.0)}
    own = {half: replace(rows, period=period) for half, period in placed.items()}
    write_predictions(tmp_path / "challenge", own, TASK)
    source = FeatureSource({"f": {"file": "f", "fps": 1.0, "width": 4}}, tmp_path / "root")
    settings = {"clips": {"clip_len": 20, "eval_len": 20, "per_epoch": 8}, "batch_size": 2}
    data = SpottingDataModule(TASK.to_dict(), source, root=str(tmp_path / "root"), **settings)
    pseudo = PseudoDataModule(str(tmp_path / "challenge"), data, **settings)
    pseudo.setup("fit")
    assert {record.half: record.frames for record in pseudo.records["train"]} == {Half("m", 1): 110, Half("m", 2): 150}


def test_they_know_who_acts(tmp_path: Path) -> None:
    task, half = Task.load("ball-2025"), Half("l/s/a", 1)
    rows = HalfPredictions(np.array([0, 1, 1]), np.array([3.0, 1.0, 2.0]), np.full(3, 0.9), np.array([1, 0, 1]))
    write_predictions(tmp_path, {half: rows}, task)
    found = PseudoLabels(tmp_path, dict.fromkeys(task.classes, 0.5)).read(tmp_path, ["l/s/a"], task)[half]
    assert found.time.tolist() == [1.0, 2.0, 3.0]
    assert found.team is not None
    assert found.team.tolist() == ["left", "right", "right"]


@pytest.mark.slow
def test_a_run_learns_from_them(words: list[str], predicted: Path, tmp_path: Path) -> None:
    """Their loss counts half; games with labels are left out; at the end others are predicted."""
    more = [f"data.pseudo={predicted}", "data.pseudo_weight=0.5", "data.predict_challenge=true"]
    called = call("train.py", *words, *more, cwd=tmp_path)
    assert called.status == 0, called.err
    assert "data.pseudo: 1 game left out, being of labelled splits" in called.err
    (run,) = tmp_path.glob("outputs/*/*")
    (row,) = history(run)
    own, pseudo = (float(row[f"train/{name}/loss"]) for name in ("own", "pseudo"))
    assert float(row["train/loss"]) == pytest.approx(own / 2 + pseudo / 4, rel=1e-3)
    assert orjson.loads((run / "cost.json").read_bytes())["clips"] == 8
    assert {path.name for path in (run / "predictions" / "challenge" / "l/s").iterdir()} == {"d", "e"}
    assert set(orjson.loads((run / "metrics.json").read_bytes())) == {"valid", "test"}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.pseudo=/no/such", "data.pseudo: no '/no/such'; give predictions"),
        ("data.pseudo={0}/valid", "has no game beyond those of the labelled splits"),
        ("data.pseudo_share=0", "data.pseudo_share: expected a number above 0"),
        ("data.pseudo_share=0.9", "leave the data set itself none of the 4 clips"),
    ],
)
def test_mistakes_are_one_line(word: str, message: str, words: list[str], predicted: Path, tmp_path: Path) -> None:
    given = [f"data.pseudo={predicted}"] if "share" in word else []
    called = call("train.py", *words, *given, word.format(predicted.parent), cwd=tmp_path)
    assert called.status != 0
    assert message in called.err.splitlines()[-1]


def test_thresholds_need_predictions_of_labelled_games(words: list[str], predicted: Path, tmp_path: Path) -> None:
    shutil.copytree(predicted, tmp_path / "alone" / "challenge")
    called = call("train.py", *words, f"data.pseudo={tmp_path}/alone/challenge", cwd=tmp_path)
    assert called.status != 0
    assert "whose predictions of split valid choose the thresholds" in called.err.splitlines()[-1]
