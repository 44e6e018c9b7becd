"""From a video to spots in two stages: what made the features makes them again, or is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

import spotter
from spotter.cli import main
from spotter.data.features import FeatureSource
from spotter.data.replays import ReplaySource
from spotter.errors import UserError
from spotter.extraction.two_stages import round_rows
from spotter.inference.model import HalfScores
from spotter.io.checkpoints import write_checkpoint
from spotter.models.system import System
from tests.conftest import call
from tests.helpers.videos import write_video

NETWORK = "resnet10t"


def weights(path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    save_file(timm.create_model(NETWORK, num_classes=0).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a video, features of it by two networks, reduced, and a head of random weights on them."""
    folder = tmp_path_factory.mktemp("stages")
    write_video(folder / "match.mp4", 200)
    weights(folder / "a.safetensors", 0)
    weights(folder / "b.safetensors", 1)
    words = ("match.mp4", "out", "--backbone", NETWORK, "--fps", "2", "--context", "2", "--device", "cpu")
    for name, more in (("a", ["--pca", "4"]), ("c", ["--crop", "whole"])):
        said = call("extract", *words, "--weights", "a.safetensors", "--name", name, *more, cwd=folder)
        assert said.status == 0, said.err
    for name, width in (("a", 512), ("a_pca4", 4)):
        streams = {"own": {"file": name, "fps": 2, "width": width}}
        write_head(folder / f"{name}.ckpt", FeatureSource(streams, folder / "out"))
    both = {name: {"file": name, "fps": 2, "width": 512} for name in ("a", "c")}
    write_head(folder / "both.ckpt", FeatureSource(both, folder / "out"))
    return folder


def write_head(path: Path, source: FeatureSource | ReplaySource, **changes: Any) -> None:
    settings = {
        "task": spotter.Task.load("soccernet-v2").to_dict(),
        "source": source.spec.to_dict(),
        "network": {"_target_": "spotter.models.linear.PerFrame"},
        "head": {
            "_target_": "spotter.models.blocks.dense.DenseHead",
            "radius": 1.0,
            "displacement": "none",
            "displacement_radius": 1.0,
        },
        "clips": {"clip_len": 8},
        "postprocess": {"method": "nms", "window": 2.0},
        **changes,
    }
    torch.manual_seed(0)
    write_checkpoint(path, settings, System.build(settings).state_dict())


@pytest.mark.parametrize("name", ["a", "a_pca4"])
def test_a_video_gives_the_spots_that_its_features_give(folder: Path, name: str) -> None:
    path, extractor = (
        folder / f"{name}.ckpt",
        {"extractor": NETWORK, "extractor_weights": str(folder / "a.safetensors")},
    )
    from_video = spotter.load(path, "cpu", **extractor).scores(folder / "match.mp4", progress=False)
    from_files = spotter.load(path, "cpu").scores(folder / "out/match" / f"1_{name}.npy", progress=False)
    assert isinstance(from_video, HalfScores)
    assert isinstance(from_files, HalfScores)
    assert from_video.times.tolist() == from_files.times.tolist()
    tolerance = 1e-4 if "pca" in name else 0.0  # components are learned on files, which are rounded
    assert from_video.confidences == pytest.approx(from_files.confidences, abs=tolerance)
    assert from_video.confidences.std() > 10 * tolerance


def test_rows_have_the_precision_of_the_files_that_were_learned_on(folder: Path) -> None:
    rows = np.array([[1 / 3, 1e5, np.nan]], np.float32)
    assert round_rows(rows, "float32").tolist()[0][:2] == rows.tolist()[0][:2]
    assert round_rows(rows, "float16") is rows, "one number is too large"
    assert round_rows(rows[:, [0, 2]], "float16").dtype == np.float16
    assert FeatureSource({"own": {"file": "a", "fps": 2, "width": 512}}, folder / "out").spec.streams[0].extractor == {
        **json.loads((folder / "out/match/1_a.json").read_text())["extractor"],
        "dtype": "float16",
    }


def test_predict_takes_a_video_and_its_extractor(folder: Path) -> None:
    words = ("ckpt=a.ckpt", "input=match.mp4", "out=spots", "trainer=cpu", "extractor_weights=a.safetensors")
    said = call("predict.py", *words, f"extractor={NETWORK}", cwd=folder)
    assert said.status == 0, said.err
    assert (folder / "spots/match/results_spotting.json").is_file()
    said = call("predict.py", "ckpt=a.ckpt", f"extractor={NETWORK}", "trainer=cpu", cwd=folder)
    assert "extractor is for input=" in said.err


def test_several_extractors_side_by_side(folder: Path) -> None:
    given = {"extractor": [NETWORK, NETWORK], "extractor_weights": str(folder / "a.safetensors")}
    from_video = spotter.load(folder / "both.ckpt", "cpu", **given).predict(folder / "match.mp4", progress=False)
    apart = folder / "both"
    apart.mkdir()
    for name in ("a", "c"):
        shutil.copy(folder / "out/match" / f"1_{name}.npy", apart)
    from_files = spotter.load(folder / "both.ckpt", "cpu").predict(apart, progress=False)
    assert from_video.to_frame()["confidence"].equals(from_files.to_frame()["confidence"])
    with pytest.raises(UserError, match="2 streams of features; give one for each"):
        spotter.load(folder / "both.ckpt", "cpu", extractor=NETWORK)


def test_replays_of_a_video_are_answered_as_by_its_features(folder: Path) -> None:
    streams = {"own": {"file": "a", "fps": 2, "width": 512}}
    write_head(
        folder / "grounding.ckpt",
        ReplaySource(streams, folder / "out", before=6.0),
        task=spotter.Task.load("replays").to_dict(),
        network={"_target_": "spotter.models.grounding.query.ReplayQuery", "dim": 16, "heads": 2, "feedforward": 16},
    )
    (folder / "replays.json").write_text('{"Replays": [{"half": 1, "start": 5, "end": 7}]}')
    words = ["ground", f"ckpt={folder / 'grounding.ckpt'}", f"replays={folder / 'replays.json'}", "device=cpu"]
    extractor = [f"extractor={NETWORK}", f"extractor_weights={folder / 'a.safetensors'}"]
    assert main([*words, f"input={folder / 'match.mp4'}", f"out={folder / 'by_video'}", *extractor]) == 0
    assert main([*words, f"input={folder / 'out/match/1_a.npy'}", f"out={folder / 'by_features'}"]) == 0
    (by_video,), (by_features,) = (
        [json.loads(path.read_text())["Replays"] for path in (folder / name).rglob("results_grounding.json")]
        for name in ("by_video", "by_features")
    )
    assert by_video == by_features
    assert by_video[0]["detection"]
    assert main([*words[:2], *extractor]) == 2


def test_another_extractor_is_refused_by_both_names(folder: Path) -> None:
    with pytest.raises(UserError, match=r"were made by backbone resnet10t, weights \w+, .* and backbone resnet10t"):
        spotter.load(folder / "a.ckpt", "cpu", extractor=NETWORK, extractor_weights=str(folder / "b.safetensors"))
    with pytest.raises(UserError, match=r"no file 'no\.ckpt'"):
        spotter.load(folder / "a.ckpt", "cpu", extractor="no.ckpt")
