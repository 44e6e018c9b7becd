"""Whole runs of every feature model: each learns, predicts, goes on, and is the same on any number of ranks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from spotter.cli import main
from spotter.evaluation.average_map import average_map
from spotter.io.checkpoints import open_checkpoint
from spotter.io.predictions import read_predictions
from spotter.io.scores import load_scores, load_scores_info
from spotter.io.soccernet import SoccerNet
from spotter.simulation.features import simulate
from spotter.types import Half
from tests.conftest import call, files_below, on_ranks
from tests.helpers.predicting import predict, read
from tests.helpers.systems import SYSTEMS, TASK, prior, simple_matches, words
from tests.test_predict import check_official
from tests.training.test_resume import interrupted, same_weights, the_run

System = Callable[[str], Path]
FAST = ("transformer", "linear", "netvladpp", "tcn")  # the others train in `make test-slow`
MODELS = [pytest.param(model, marks=() if model in FAST else pytest.mark.slow) for model in SYSTEMS]


@pytest.fixture(scope="module")
def matches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tree that all systems learn from."""
    return simple_matches(tmp_path_factory.mktemp("simple matches"))


@pytest.fixture(scope="module")
def system(matches: Path, tmp_path_factory: pytest.TempPathFactory) -> System:
    """Return a function that trains a model, once, and returns the run's folder; tests only look at it."""

    @cache
    def train(model: str) -> Path:
        cwd, (epochs, sizes) = tmp_path_factory.mktemp(model), SYSTEMS[model]
        ends = [f"trainer.max_epochs={epochs}", f"trainer.check_val_every_n_epoch={epochs}"]
        called = call("train.py", f"model={model}", *words(matches), *ends, *sizes, cwd=cwd)
        assert called.status == 0, called.err
        return the_run(cwd)

    return train


@pytest.mark.parametrize("model", MODELS)
def test_every_model_beats_the_prior(system: System, matches: Path, model: str) -> None:
    """On games that no choice was made on, by a wide margin, both near the moment and far from it."""
    form = read(system(model) / "metrics.json")["test"]
    chance = prior(matches, "test", form["postprocess"])
    assert form["loose"]["map"] > 1.5 * chance["loose"]["map"]
    assert form["tight"]["map"] > 1.5 * chance["tight"]["map"]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_every_model_predicts_splits_and_own_matches(system: System, matches: Path, tmp_path: Path, model: str) -> None:
    """A checkpoint is all that is needed; a half is predicted alike as one of a split and as one's own."""
    run, (game, *_) = system(model), read(matches / "splits.json")["test"]
    (features,) = (matches / game).glob("2_*.npy")
    shutil.copy(features, tmp_path / "2_derby.npy")
    predict(tmp_path, f"ckpt={run}/checkpoints/best.ckpt", "split=test", "out=split", "data.batch_size=32")
    predict(tmp_path, f"ckpt={run}/checkpoints/best.ckpt", "input=2_derby.npy", "out=own")
    assert files_below(tmp_path / "split") == files_below(run / "predictions" / "test")
    check_official(tmp_path / "split" / game / "results_spotting.json", game, {"1", "2"})
    check_official(tmp_path / "own" / "2_derby" / "results_spotting.json", "2_derby", {"2"})
    theirs = dict(load_scores(tmp_path / "split" / "scores"))[Half(game, 2)]
    mine = dict(load_scores(tmp_path / "own" / "scores"))[Half("2_derby", 2)]
    np.testing.assert_allclose(mine.logits, theirs.logits, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_systems_of_different_rates_are_fused(system: System, matches: Path, tmp_path: Path) -> None:
    """Windows, one a second, join dense anchors, two a second, with their displacements."""
    dense, windows, out = system("unet"), system("avgpool"), tmp_path / "fused"
    assert main(["fuse", str(dense), str(windows), "--labels", str(matches), "-o", str(out)]) == 0
    games = read(matches / "splits.json")["test"]
    form = average_map(SoccerNet().read(matches, games, TASK), read_predictions(out, games, TASK), TASK)
    postprocess = load_scores_info(out / "scores").postprocess.to_dict()
    described = {"postprocess": postprocess, "task": TASK.name, "split": "test"}
    assert read(out / "metrics.json") == {**form, **described}
    assert form["loose"]["map"] > 1.5 * prior(matches, "test", postprocess)["loose"]["map"]
    fused, fine, coarse = (
        dict(load_scores(folder / "scores"))[Half(games[0], 1)]
        for folder in (out, dense / "predictions" / "test", windows / "predictions" / "test")
    )
    assert (fused.fps, fine.fps, coarse.fps) == (2.0, 2.0, 1.0)
    mean = (fine.logits[::2] + coarse.logits) / 2
    np.testing.assert_allclose(fused.logits[::2], mean, rtol=1e-5, atol=1e-5)
    assert fused.displacement is not None


SMALL_TRANSFORMER = ["model.network.dim=16", "model.network.heads=2", "model.network.feedforward=16"]
PLATEAU = ["model.plateau={patience:0,factor:0.5}", "model.lr=0.05"]
PUBLISHED_WAYS = {  # of drawing and changing clips, which presets of the demo partly leave out
    "netvladpp": [*PLATEAU, "model.network.dim=8", "model.network.clusters=2", "model.clips.per_epoch=0"],
    "calf": [*PLATEAU, "model.network.dim=8"],
    "rms": [*PLATEAU, "model.network.dim=8", "model.network.width=8", "model.network.dropout=0.2"],
    "astra": [
        *(
            *SMALL_TRANSFORMER,
            "model.network.token_dropout=0.5",
            "model.network.input_dropout=0.4",
            "model.clips.overlap=0",
        ),
        *("model.network.dropout=0.1", "model.clips.per_epoch=0", "model.clips.balanced_mixup=true"),
        *("model.mixup={alpha:1.0,beta:0.6,probability:1.0}", "model.augment={swap:0.3}"),
    ],
}


@pytest.mark.parametrize(
    "model", [one if one == "calf" else pytest.param(one, marks=pytest.mark.slow) for one in PUBLISHED_WAYS]
)
def test_every_way_of_training_goes_on_as_if_it_never_stopped(tiny: list[str], tmp_path: Path, model: str) -> None:
    """Plateaus, partners, balanced clips and running statistics: the same bits after an error in the second epoch."""
    both = [f"model={model}", *tiny, "data.eval_batch_size=32", *PUBLISHED_WAYS[model]]
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    called = call("train.py", *both, cwd=tmp_path / "whole")
    assert called.status == 0, called.err
    with interrupted(epoch=1):
        assert call("train.py", *both, cwd=tmp_path / "cut").status == 1
    whole, cut = the_run(tmp_path / "whole"), the_run(tmp_path / "cut")
    called = call("train.py", f"ckpt={cut}/checkpoints/last.ckpt", cwd=tmp_path / "cut")
    assert called.status == 0, called.err
    assert (whole / "metrics.csv").read_bytes() == (cut / "metrics.csv").read_bytes()
    assert files_below(whole / "predictions") == files_below(cut / "predictions")
    same_weights(whole, cut)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["calf", "astra"])
def test_two_ranks_predict_the_same_bytes(system: System, tmp_path: Path, model: str) -> None:
    """Clips of a half that ranks share are put together as on one."""
    more = [f"ckpt={system(model)}/checkpoints/best.ckpt", "data.batch_size=3"]
    predict(tmp_path, *more, "out=1")
    more += ["out=2", "trainer=ddp_cpu", "trainer.devices=2"]
    assert on_ranks(2, lambda: call("predict.py", *more, cwd=tmp_path).status) == [0, 0]
    one = files_below(tmp_path / "1")
    assert {"metrics.json", "results_spotting.zip", "scores/scores.json"} < set(one)
    assert files_below(tmp_path / "2") == one


@pytest.mark.slow
def test_two_ranks_train_running_statistics(tiny: list[str], tmp_path: Path) -> None:
    """What two ranks wrote with statistics of every position of a clip is what the kept ones say on one rank."""
    more = ["model=calf", *tiny, "model.network.dim=8", "trainer=ddp_cpu", "trainer.devices=2", "trainer.max_epochs=1"]
    more += [
        "hydra.run.dir=outputs/calf-demo/run"
    ]  # else ranks that start in different seconds have folders of their own
    assert on_ranks(2, lambda: call("train.py", *more, cwd=tmp_path).status) == [0, 0]
    run = the_run(tmp_path)
    predict(tmp_path, f"ckpt={run}/checkpoints/best.ckpt", "split=valid", "out=1", "data.batch_size=8")
    assert files_below(tmp_path / "1") == files_below(run / "predictions" / "valid")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("netvlad", ["model.network.clusters=2", "model.network.dim=8", "model.network.normalise=true"]),
        ("astra", [*SMALL_TRANSFORMER, "model.network.hidden=8", "model.clips.overlap=0"]),
    ],
)
def test_features_of_two_rates_go_in_together(tmp_path: Path, model: str, more: list[str]) -> None:
    """A second file of another rate and width is given as in ``data=baidu_resnet``; a part of a half is predicted."""
    for name, fps, width in (("baidu_soccer_embeddings", 1.0, 32), ("ResNET_TF2_PCA512", 2.0, 40)):
        root = simulate(tmp_path / "tree", games=(1, 1, 1), minutes=2, width=width, file=name, fps=fps)
    streams = ["data.source.streams.baidu.groups=[20,12]", "data.source.streams.resnet.width=40", "data.width=32"]
    ends = ["data.batch_size=2", "data.num_workers=0", "trainer=cpu", "trainer.max_epochs=1", "logger=none"]
    data = ["data=baidu_resnet", f"data.root={root}", *streams]
    called = call("train.py", f"model={model}", *data, *ends, *more, cwd=tmp_path)
    assert called.status == 0, called.err
    run = the_run(tmp_path)
    assert read(run / "metrics.json")["test"]["games"] == 1
    source = open_checkpoint(run / "checkpoints" / "best.ckpt")["hyper_parameters"]["source"]
    assert [(stream["fps"], stream["width"]) for stream in source["streams"].values()] == [(1.0, 32), (2.0, 40)]
    own = tmp_path / "own"
    own.mkdir()
    for file in (root / read(root / "splits.json")["test"][0]).glob("1_*.npy"):
        shutil.copy(file, own / file.name.replace("1_", "1_derby_", 1))
    predict(tmp_path, f"ckpt={run}/checkpoints/best.ckpt", "input=own", "out=mine", "postprocess=nms")
    check_official(tmp_path / "mine" / "1_derby" / "results_spotting.json", "1_derby", {"1"})
