"""What docs/extend.md shows works as it is pasted: trained on, predicted with, scored."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import PROJECT, call
from tests.helpers.pages import PAGES, block_with, paste_configs

PAGE = PAGES["extend.md"]
GAME = "league/season/game"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder with the configs of the page, from which modules are imported."""
    paste_configs(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("my_network", "my_loss"):
        sys.modules.pop(name, None)


def paste(path: Path, text: str) -> None:
    """Write the Python file of the page that holds a text."""
    path.write_text(block_with(text, "python"), encoding="utf-8")


def train(folder: Path, *words: str) -> Path:
    """Train with a model or data of the page; return the best checkpoint."""
    called = call("train.py", "--config-dir", "my_conf", *words, cwd=folder)
    assert called.status == 0, called.err
    (best,) = folder.glob("outputs/*/*/checkpoints/best.ckpt")
    return best


def test_the_network_trains_and_predicts(folder: Path, tiny: list[str]) -> None:
    """It predicts when it is trusted."""
    paste(folder / "my_network.py", "class MyNetwork")
    assert "trust=my_network" in block_with("model=my_network", "bash")
    best = train(folder, "model=my_network", "data=demo", *tiny, "trainer.max_epochs=1")
    predicted = call("predict.py", f"ckpt={best}", "trust=my_network", "trainer=cpu", "out=out", cwd=folder)
    assert predicted.status == 0, predicted.err
    assert list((folder / "out").glob("*/*/*/results_spotting.json"))


def test_the_loss_trains_and_a_suppression_takes_its_scores(
    folder: Path, tiny: list[str], tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paste(folder / "my_loss.py", "class SquaredHead")
    best = train(folder, "model=my_loss", "data=demo", *tiny, "trainer.max_epochs=1")
    names = {"best.ckpt": str(best), "1_match.npy": str(next(tree.rglob("1_*.npy")))}
    code = block_with("scores.confidences.T", "python").replace("> 0.5", "> 0.0")
    for name, path in names.items():
        code = code.replace(f'"{name}"', f"{path!r}" + (", trust='my_loss'" if name == "best.ckpt" else ""))
    exec(compile(code, "extend.md", "exec"), {})  # as it is pasted into a notebook
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[1:3] == ["s", "Goal"] for line in lines)


def test_the_feature_and_the_task_are_trained_on(folder: Path) -> None:
    """Two feature files of two rates, and labels of handball with teams."""
    rng = np.random.default_rng(0)
    for split in ("train", "valid"):
        place = folder / "my_tree" / f"{GAME}-{split}"
        place.mkdir(parents=True)
        np.save(place / "1_my_features.npy", rng.random((120, 768), np.float32))
        np.save(place / "1_my_audio.npy", rng.random((250, 128), np.float32))
        rows = [
            {
                "gameTime": "1 - 0:00",
                "position": str(1000 * second),
                "label": label,
                "team": team,
                "visibility": "visible",
            }
            for second, label, team in ((20, "Goal", "home"), (50, "Save", "away"), (80, "Seven metres", "home"))
        ]
        (place / "Labels-handball.json").write_text(json.dumps({"annotations": rows}), encoding="utf-8")
    splits = {split: [f"{GAME}-{split}"] for split in ("train", "valid")}
    (folder / "my_tree" / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    words = ["data=mine", "data.task=my_task.yaml", "data.root=my_tree", "data.batch_size=4", "data.num_workers=0"]
    best = train(folder, *words, "model.clips.per_epoch=8", "trainer=cpu", "trainer.max_epochs=1", "logger=none")
    scores = json.loads((best.parent.parent / "metrics.json").read_text())["valid"]
    assert set(scores["tight"]["per_class_team"]) == {"Goal", "Save", "Seven metres"}
    assert "within_2" in scores


def test_the_format_is_the_one_that_is_tested() -> None:
    """By tests/training/test_outside_format.py: trained on, predicted, scored."""
    assert (PROJECT / "tests" / "extensions" / "my_format.py").read_text(encoding="utf-8") in PAGE
