"""Weights as safetensors hold what the checkpoint holds, predict the same bytes, and are read as safely."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

import spotter
from spotter.cli import main
from spotter.errors import UserError
from spotter.io.checkpoints import open_checkpoint, save_checkpoint
from spotter.io.weights import KEY
from tests.conftest import PROJECT, call
from tests.fixtures.make_v0_1 import FOLDER, NAMES

SMALL = FOLDER / "linear.ckpt"


def exported(checkpoint: Path, folder: Path) -> Path:
    """Export the weights of a checkpoint as a user does."""
    out = folder / f"{checkpoint.stem}.safetensors"
    assert main(["export-weights", str(checkpoint), str(out)]) == 0
    return out


def same(one: object, other: object) -> bool:
    """Return whether plain values and tensors are the same, tensors to the bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_head_and_network_comes_back(name: str, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(FOLDER / f"{name}.ckpt")
    weights = open_checkpoint(exported(FOLDER / f"{name}.ckpt", tmp_path))
    assert weights.keys() == {"spotter_format", "hyper_parameters", "state_dict"}
    assert same(weights["hyper_parameters"], checkpoint["hyper_parameters"])
    assert same(weights["state_dict"], checkpoint["state_dict"])


def test_predictions_are_the_same_to_the_bit(trained: Path, tree: Path, tmp_path: Path) -> None:
    """By the front door and by the command; a run's folder does as a checkpoint."""
    weights = exported(trained, tmp_path)
    half = next(tree.rglob("1_*.npy"))
    scores = [spotter.load(path, "cpu").scores(half, progress=False) for path in (trained, weights)]
    assert np.array_equal(scores[0].confidences, scores[1].confidences)  # type: ignore[union-attr]
    outs = []
    for ckpt in (trained / "checkpoints" / "best.ckpt", weights):
        outs.append(tmp_path / ckpt.stem)
        called = call("predict.py", f"ckpt={ckpt}", f"input={half}", f"out={outs[-1]}", "trainer=cpu", cwd=tmp_path)
        assert called.status == 0, called.err
    files = [{path.relative_to(out): path.read_bytes() for path in out.rglob("results_spotting.json")} for out in outs]
    assert files[0] == files[1] != {}


@pytest.mark.slow
def test_training_starts_from_them_but_does_not_go_on(trained: Path, tiny: list[str], tmp_path: Path) -> None:
    weights = exported(trained, tmp_path)
    refused = call("train.py", *tiny, f"ckpt={weights}", cwd=tmp_path)
    assert refused.status == 1
    expected = "holds weights alone, without the training state; start a new run from them"
    assert f"{weights} {expected}: model.init_from={weights}" in refused.err
    begun = call("train.py", *tiny, f"model.init_from={weights}", "trainer.max_epochs=1", cwd=tmp_path)
    assert begun.status == 0, begun.err
    count = len(open_checkpoint(weights)["state_dict"])
    assert f"took {count} of {count} tensors" in begun.err


def test_tensors_among_the_settings_and_weights_that_share_memory(tmp_path: Path) -> None:
    content = open_checkpoint(SMALL)
    stream = next(iter(content["hyper_parameters"]["source"]["streams"].values()))
    stream["pca"] = torch.arange(7, dtype=torch.uint8)
    shared = torch.arange(12.0).reshape(3, 4)
    content["state_dict"] |= {"a": shared, "b": shared, "c": shared.T, "d": torch.tensor(3), "e": shared.bfloat16()}
    save_checkpoint(tmp_path / "odd.ckpt", content)
    before = open_checkpoint(tmp_path / "odd.ckpt")
    out = exported(tmp_path / "odd.ckpt", tmp_path)
    after = open_checkpoint(out)
    assert same(before["hyper_parameters"], after["hyper_parameters"])
    assert same(before["state_dict"], after["state_dict"])
    first = out.read_bytes()
    assert exported(out, tmp_path).read_bytes() == first, "what is exported again is the same file"


def test_any_reader_sees_weights_and_settings(tmp_path: Path) -> None:
    with safe_open(exported(SMALL, tmp_path), framework="numpy") as file:
        names, text = list(file.keys()), file.metadata()[KEY]
    assert sorted(names) == sorted(open_checkpoint(SMALL)["state_dict"])
    assert json.loads(text)["hyper_parameters"]["task"]["name"] == "soccernet-v2"


def write(path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"network.a": torch.zeros(3)}, path, metadata)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "weights without settings; .*export-weights"),
        ({"format": "pt"}, "weights without settings"),
        ({KEY: "{"}, "the settings: not JSON"),
        ({KEY: "[]"}, "its settings are no object"),
        ({KEY: '{"spotter_format": 3, "hyper_parameters": {}}'}, "of format 3, this spotter reads up to 2"),
        ({KEY: '{"spotter_format": 2}'}, "damaged, it lacks hyper_parameters"),
        ({KEY: '{"spotter_format": 2, "hyper_parameters": {}}'}, "its settings lack 'clips'"),
    ],
)
def test_what_is_no_export_of_ours(metadata: dict[str, str] | None, message: str, tmp_path: Path) -> None:
    write(tmp_path / "w.safetensors", metadata)
    with pytest.raises(UserError, match=message):
        open_checkpoint(tmp_path / "w.safetensors")


def test_a_header_that_lies_is_refused_at_once(tmp_path: Path) -> None:
    """One of terabytes, one that ends beyond the file, and data that is not there."""
    path = tmp_path / "w.safetensors"
    for length, text in ((1 << 40, b"{}"), (99_000_000, b"{}"), (2, b"{}" + b"x" * 100)):
        path.write_bytes(struct.pack("<Q", length) + text)
        with pytest.raises(UserError, match="damaged"):
            open_checkpoint(path)
    header = json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(UserError, match="damaged"):
        open_checkpoint(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_only_the_declared_error_leaves_damaged_weights(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "linear.safetensors"
    content = bytearray((path if path.exists() else exported(SMALL, tmp_path)).read_bytes())
    end = 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, end))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    damaged = tmp_path / data.draw(st.sampled_from(["damaged.safetensors", "damaged.ckpt"]))
    damaged.write_bytes(bytes(content[:cut] if data.draw(st.booleans()) else content))
    with suppress(UserError):
        assert isinstance(open_checkpoint(damaged)["hyper_parameters"], dict)


def test_what_the_command_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export-weights", str(SMALL), str(tmp_path / "a.ckpt")]) == 2
    assert "ends in .safetensors" in capsys.readouterr().err
    assert main(["export-weights", str(PROJECT / "README.md"), str(tmp_path / "a.safetensors")]) == 1
    assert "no checkpoint of plain values" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
