"""``predict.py`` with a model of two feature streams."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import spotter
from spotter.errors import UserError
from spotter.simulation.features import simulate
from tests.conftest import call
from tests.helpers.predicting import predict, read


@pytest.fixture(scope="module")
def two_streams(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the root of a tree with two feature files a half, and a checkpoint of a model that reads both."""
    cwd = tmp_path_factory.mktemp("two streams")
    for name, fps, width in (("baidu_soccer_embeddings", 1.0, 32), ("ResNET_TF2_PCA512", 2.0, 48)):
        root = simulate(cwd / "tree", games=(1, 1, 1), minutes=3, width=width, file=name, fps=fps)
    streams = {
        "baidu": {"file": "baidu_soccer_embeddings", "fps": 1, "width": 32},
        "resnet": {"file": "ResNET_TF2_PCA512", "fps": 2, "width": 48},
    }
    words = ["data=baidu_resnet", "data.width=32", "data.source.streams.baidu.groups=[32]"]
    words += [f"data.source.streams.resnet.width={streams['resnet']['width']}", f"data.root={root}"]
    words += ["model.network.dim=32", "model.network.layers=1", "model.network.heads=2", "data.num_workers=0"]
    words += ["model.clips.per_epoch=8", "data.batch_size=4", "trainer=cpu", "trainer.max_epochs=1", "logger=none"]
    called = call("train.py", *words, cwd=cwd)
    assert called.status == 0, called.err
    (ckpt,) = cwd.glob("outputs/*/*/checkpoints/best.ckpt")
    return root, ckpt


@pytest.mark.slow
def test_model_of_two_streams(two_streams: tuple[Path, Path], tmp_path: Path) -> None:
    """A model of two feature files predicts a split, and own files named alike."""
    root, ckpt = two_streams
    predict(tmp_path, f"ckpt={ckpt}", "split=valid", "out=split")
    (game,) = read(root / "splits.json")["valid"]
    (tmp_path / "own").mkdir()
    for file in (root / game).glob("2_*.npy"):
        shutil.copy(file, tmp_path / "own" / file.name.replace("2_", "2_derby_", 1))
    predict(tmp_path, f"ckpt={ckpt}", "input=own", "out=own out")
    mine = read(tmp_path / "own out" / "2_derby" / "results_spotting.json")["predictions"]
    theirs = read(tmp_path / "split" / game / "results_spotting.json")["predictions"]
    assert [(entry["label"], entry["position"]) for entry in mine] == [
        (entry["label"], entry["position"]) for entry in theirs if entry["half"] == "2"
    ]
    (tmp_path / "own" / "2_derby_ResNET_TF2_PCA512.npy").unlink()
    called = call("predict.py", f"ckpt={ckpt}", "input=own", cwd=tmp_path)
    assert (called.status, called.err.count("\n")) == (1, 1)
    assert "2_derby" in called.err
    assert "ResNET_TF2_PCA512" in called.err


def test_model_of_two_streams_in_python(two_streams: tuple[Path, Path], tmp_path: Path) -> None:
    """A folder with a file for each stream is predicted as by the command; one array is not enough."""
    root, ckpt = two_streams
    (game,) = read(root / "splits.json")["valid"]
    (tmp_path / "own").mkdir()
    for file in (root / game).glob("2_*.npy"):
        shutil.copy(file, tmp_path / "own" / file.name.replace("2_", "2_derby_", 1))
    predict(tmp_path, f"ckpt={ckpt}", "input=own", "out=out")
    model = spotter.load(ckpt, device="cpu")
    model.predict(tmp_path / "own").to_json(tmp_path / "mine.json")
    assert (tmp_path / "mine.json").read_bytes() == (
        tmp_path / "out" / "2_derby" / "results_spotting.json"
    ).read_bytes()
    with pytest.raises(UserError, match="this model reads 2 feature streams, not one array; give files"):
        model.predict(np.zeros((9, 32), "f4"), fps=1)
