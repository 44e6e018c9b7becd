"""Every mistake of a user is one line on standard error that names the remedy, with the right exit status."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import torch

from tests.conftest import call, process


@pytest.fixture(scope="module")
def best(trained: Path) -> Path:
    """Return a good checkpoint."""
    return trained / "checkpoints" / "best.ckpt"


@pytest.fixture
def copied(tree: Path, tmp_path: Path) -> Path:
    """Return a copy of the tree that a test may damage."""
    return Path(shutil.copytree(tree, tmp_path / "copied"))


def fails(cwd: Path, status: int, *said: str, command: list[str]) -> None:
    """Assert that a command ends with ``status`` and one line that says all of ``said``; it leaves no run behind."""
    called = call(*command, cwd=cwd)
    lines = called.err.splitlines()
    assert called.status == status, called.err
    assert len(lines) == 1, called.err
    assert lines[0].startswith("error: ")
    for word in said:
        assert word in lines[0]
    assert not [path for path in cwd.glob("outputs/*/*") if path.parent.name != "demo-data"], "an empty run is left"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["model=nonesuch"], 2, ["model/nonesuch", "transformer", "linear"]),
        (["model=transfomer"], 2, ["model/transfomer", "did you mean transformer?"]),
        (["model=dense"], 2, ["model/dense"]),
        (["model=_dense"], 2, ["_dense", "other options share"]),
        (["data=_features"], 2, ["_features", "other options share"]),
        (["data=nonesuch"], 2, ["data/nonesuch", "baidu"]),
        (["trainer=tpu9"], 2, ["trainer/tpu9"]),
        (["modle=linear"], 2, ["modle", "did you mean model?"]),
        (["x.y=1"], 2, ["x.y: no such key: spotter train --cfg job shows all that there are"]),
        (["model.lrr=1"], 2, ["model.lrr", "did you mean model.lr?"]),
        (["+modle=linear"], 2, ["modle", "did you mean model?"]),
        (["+colour=red"], 2, ["colour", "nothing reads this key"]),
        (["+data.batchsize=2"], 2, ["DataModule takes no 'batchsize'", "did you mean batch_size?"]),
        (["+trainer.max_epoch=2"], 2, ["Trainer takes no 'max_epoch'", "did you mean max_epochs?"]),
        (["trainer.max_epoch=1"], 2, ["max_epoch"]),
        (["seed=1", "]["], 2, ["]["]),
        (["data=baidu"], 1, ["data.root", "SOCCERNET_ROOT"]),
        (["data=baidu", "data.root=/no/such/folder"], 1, ["data.root", "/no/such/folder"]),
        (["ckpt=missing.ckpt"], 1, ["ckpt", "missing.ckpt"]),
        (["model.init_from=missing.ckpt"], 1, ["model.init_from", "missing.ckpt"]),
        (["data.task=curling"], 1, ["curling", "soccernet-v2", "ball-2023"]),
        (["data.splits.val=[x]"], 2, ["data.splits.val"]),
        (["model.lr=abc"], 1, ["model.lr", "abc"]),
        (["data.batch_size=0"], 1, ["data.batch_size", "0"]),
        (["seed=-1"], 1, ["seed", "-1"]),
        (["trainer.max_epochs=-1"], 2, ["trainer.max_epochs"]),
        (["trainer.precision=64-true"], 2, ["trainer.precision", "'64-true'", "auto, 32, 16, bf16"]),
        (["callbacks.average_map=null"], 2, ["callbacks.average_map"]),
        (["data.source.streams.demo.offset=2"], 2, ["data.offset", "data.source"]),
        (["+data.splits.val=[x]"], 2, ["'val'", "valid"]),
        (["data.fps=fast"], 2, ["fps: expected", "25/12", "'fast'"]),
        (["data.columns=[5,900]"], 1, ["data.columns", "[5, 900]"]),
        (["data.batch_size=5000"], 1, ["data.batch_size", "per_epoch"]),
        (["model.clips.overlap=2"], 1, ["overlap"]),
        (["~model.clips.clip_len"], 2, ["model.clips.clip_len"]),
        (["~model.network"], 2, ["~model.network: a run needs what this leaves out ('network')"]),
        (["model.clips.sampling=best"], 1, ["model.clips.sampling", "uniform", "non_overlapping"]),
        (["model.head.displacement=l2"], 1, ["displacement", "huber"]),
        (["model.network.dims=3"], 2, ["model.network.dims"]),
        (["+model.network.dims=3"], 1, ["dims"]),
        (["model.network._target_=os.system"], 1, ["os.system", "torch.nn.Module"]),
        (["postprocess.window=-1"], 1, ["postprocess.window", "-1"]),
        (["postprocess.method=best"], 1, ["postprocess.method", "soft_nms"]),
        (["+callbacks.foo=1"], 2, ["callbacks.foo", "_target_"]),
        (["+model.clips.foo=1"], 1, ["model.clips.foo: unknown; its keys are clip_len"]),
        (["callbacks.ema.decay=2"], 1, ["callbacks.ema.decay"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)  # fmt: skip
def test_train(tiny: list[str], tmp_path: Path, words: list[str], status: int, said: list[str]) -> None:
    """What ``train.py`` is told wrongly."""
    base = [] if words[0].startswith("data=") else tiny
    fails(tmp_path, status, *said, command=["train.py", *base, *words])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, ["ckpt=PATH"]),
        (["ckpt=missing.ckpt"], 1, ["ckpt", "missing.ckpt"]),
        (["ckpt=BEST", "split=val"], 2, ["'val'", "valid"]),
        (["ckpt=BEST", "split=challenge"], 1, ["challenge"]),
        (["ckpt=BEST", "data.root=/no/such/folder"], 1, ["data.root"]),
        (["ckpt=BEST", "input=missing.npy"], 1, ["input", "missing.npy"]),
        (["ckpt=BEST", "input=."], 1, ["input", ".npy"]),
        (["ckpt=BEST", "inputs=x"], 2, ["inputs"]),
        (["ckpt=BEST", "postprocess=none"], 2, ["postprocess/none"]),
        (["ckpt=BEST", "postprocess=model"], 2, ["postprocess=model", "leave it out"]),
        (["ckpt=BEST", "+clips.foo=1"], 1, ["model.clips.foo: unknown; its keys are clip_len"]),
        (["ckpt=BEST", "postprocess.window=3"], 2, ["choose the method, too: postprocess=soft_nms "]),
        (["ckpt=BEST", "postprocess=nms", "postprocess.windw=3"], 2, ["did you mean postprocess.window?"]),
        (["ckpt=BEST", "postprocess=nms", "postprocess.window=[1,2]"], 1, ["postprocess.window", "17"]),
        (["ckpt=BEST", "postprocess=nms", "postprocess.threshold=2"], 1, ["postprocess.threshold"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)  # fmt: skip
def test_predict(best: Path, tmp_path: Path, words: list[str], status: int, said: list[str]) -> None:
    """What ``predict.py`` is told wrongly."""
    words = [word.replace("BEST", str(best)) for word in words]
    fails(tmp_path, status, *said, command=["predict.py", *words, "trainer=cpu"])


class Malicious:
    """Run a command when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        import os

        return os.system, ("touch pwned",)

    def __repr__(self) -> str:
        return "Malicious()"


def changed(content: dict[str, Any], *path: str, value: Any) -> dict[str, Any]:
    """Return a checkpoint with one value changed, or taken out if ``value`` is ``...``."""
    first, *rest = path
    if rest:
        return {**content, first: changed(content[first], *rest, value=value)}
    return {k: v for k, v in content.items() if k != first} if value is ... else {**content, first: value}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("spotter_format",), 99, ["format 99", "update"]),
        (("spotter_format",), "new", ["format new"]),
        (("spotter_format",), ..., ["not a spotter checkpoint"]),
        (("hyper_parameters",), ..., ["hyper_parameters"]),
        (("state_dict",), ..., ["state_dict"]),
        (("hyper_parameters", "source"), ..., ["source"]),
        (("hyper_parameters", "network", "dim"), 32, ["do not fit"]),
        (("hyper_parameters", "network", "_target_"), "os.system", ["os.system", "not of spotter", "trust=os"]),
        (("hyper_parameters", "network", "_target_"), "no.such.Thing", ["no.such.Thing"]),
        (("hyper_parameters", "head", "_target_"), "subprocess.run", ["subprocess.run"]),
        (("hyper_parameters", "network"), {"_target_": "os.system", "command": "touch pwned"}, ["os.system"]),
        (("state_dict",), Malicious(), ["plain values"]),
    ],
    ids=str,
)  # fmt: skip
def test_damaged_or_malicious_checkpoint(
    best: Path, tmp_path: Path, path: tuple[str, ...], value: Any, said: list[str]
) -> None:
    """A checkpoint that was tampered with runs nothing, and says in one line what is wrong with it."""
    content = torch.load(best, weights_only=True)
    torch.save(changed(content, *path, value=value), tmp_path / "bad.ckpt")
    fails(tmp_path, 1, *said, command=["predict.py", "ckpt=bad.ckpt", "trainer=cpu"])
    assert not (tmp_path / "pwned").exists()


def test_files_that_are_no_checkpoints(best: Path, tmp_path: Path) -> None:
    """Half a checkpoint, text, a bare pickle and an empty file."""
    whole = best.read_bytes()
    cases = {"half": whole[: len(whole) // 2], "text": b"hello", "empty": b"", "pickle": pickle.dumps(Malicious())}
    for name, content in cases.items():
        (tmp_path / f"{name}.ckpt").write_bytes(content)
        fails(tmp_path, 1, f"{name}.ckpt", command=["predict.py", f"ckpt={name}.ckpt", "trainer=cpu"])
    said = f"model.init_from: {best.parent} is a folder; give a file, of a run checkpoints/best.ckpt"
    fails(tmp_path, 1, said, command=["train.py", f"model.init_from={best.parent}", "trainer=cpu"])
    assert not (tmp_path / "pwned").exists()


def test_resuming_from_a_damaged_checkpoint(best: Path, tiny: list[str], tmp_path: Path) -> None:
    """``train.py ckpt=…`` is as careful."""
    torch.save({**torch.load(best, weights_only=True), "callbacks": Malicious()}, tmp_path / "bad.ckpt")
    fails(tmp_path, 1, "bad.ckpt", command=["train.py", *tiny, "ckpt=bad.ckpt"])
    assert not (tmp_path / "pwned").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((9, 16), np.float32), ["16 wide", "expected 32"]),
        (np.zeros((9, 32), np.int64), ["float16 or float32", "int64"]),
        (np.zeros(32, np.float32), ["(rows, width)"]),
        (np.zeros((0, 32), np.float32), ["no rows"]),
        (np.array([{"a": 1}], dtype=object), ["pickled"]),
        (b"no array at all", ["not a readable .npy"]),
    ],
    ids=["width", "type", "flat", "empty", "pickled", "text"],
)  # fmt: skip
def test_wrong_features(best: Path, copied: Path, tiny: list[str], tmp_path: Path, array: Any, said: list[str]) -> None:
    """Files of another kind are named, in training and as own input."""
    file = sorted(copied.rglob("2_*.npy"))[-1]
    if isinstance(array, bytes):
        file.write_bytes(array)
    else:
        np.save(file, array)
    fails(tmp_path, 1, file.name, *said, command=["train.py", *tiny, f"data.root={copied}"])
    fails(tmp_path, 1, file.name, *said, command=["predict.py", f"ckpt={best}", f"input={file}", "trainer=cpu"])


def test_missing_half_game_and_label(copied: Path, tiny: list[str], tmp_path: Path) -> None:
    """What is missing is counted, the first is named with the remedy; ``data.allow_missing=true`` goes on without."""
    train = [copied / game for game in orjson.loads((copied / "splits.json").read_bytes())["train"]]
    command = ["train.py", *tiny, f"data.root={copied}", "data._target_=spotter.training.datamodule.SpottingDataModule"]
    command += ["~data.demo"]
    command = [word for word in command if not word.startswith("data.demo.")]
    (half,) = train[0].glob("2_*.npy")
    half.unlink()
    fails(tmp_path, 1, "1 file of split train", str(half), "data.allow_missing=true", command=command)
    (train[1] / "Labels-v2.json").unlink()
    fails(tmp_path, 1, "2 files of split train", "Labels-v2.json", command=command)
    called = call(*command, "data.allow_missing=true", "trainer.max_epochs=1", cwd=tmp_path)
    assert called.status == 0, called.err
    assert "2 files of split train (2 games) missing" in called.err
    assert "continuing without them\n" in called.err


def test_scores_without_a_missing_half_say_so(best: Path, copied: Path, tmp_path: Path) -> None:
    """They are not those of ``spotter evaluate``, which counts its spots as missed."""
    (game,) = orjson.loads((copied / "splits.json").read_bytes())["test"]
    (half,) = (copied / game).glob("2_*.npy")
    half.unlink()
    words = [f"ckpt={best}", f"data.root={copied}", "data.allow_missing=true", "trainer=cpu", "out=out"]
    called = call("predict.py", *words, cwd=tmp_path)
    assert called.status == 0, called.err
    assert "continuing without them: scores leave out their spots, which spotter evaluate" in called.err


def test_damaged_labels(copied: Path, tiny: list[str], tmp_path: Path) -> None:
    """A label file that is not JSON is named."""
    file = sorted(copied.rglob("Labels-v2.json"))[0]
    file.write_text('{"annotations": [', encoding="utf-8")
    fails(tmp_path, 1, "Labels-v2.json", command=["train.py", *tiny, f"data.root={copied}"])


@pytest.mark.slow
def test_exit_statuses_and_traceback_of_real_processes(tmp_path: Path) -> None:
    """The status reaches the shell; ``SPOTTER_DEBUG=1`` shows where the mistake was found."""
    ran = process("train.py", "model=nonesuch", cwd=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    ran = process("predict.py", "ckpt=missing", cwd=tmp_path, env={"SPOTTER_DEBUG": "1"})
    assert ran.returncode == 1
    assert "Traceback" in ran.stderr
    assert "UserError: ckpt: no file 'missing'" in ran.stderr


@pytest.mark.parametrize(
    ("script", "named", "hidden"),
    [
        ("train.py", "ddp_cpu maxpool soft_nms tensorboard demo published e2e_ball", "_dense __pycache__"),
        ("predict.py", "ddp_cpu soft_nms allow_missing: margin:", "model, run_dir: hydra: output_subdir"),
    ],
)
def test_help(script: str, named: str, hidden: str, tmp_path: Path) -> None:
    """``--help`` explains and succeeds; it names all options, and nothing that is no user's."""
    called = call(script, "--help", cwd=tmp_path)
    assert called.status == 0
    assert "data:" in called.out
    assert not called.err
    words = called.out.replace(",", ", ").split()
    assert not [word for word in named.split() if word not in {each.rstrip(",") for each in words}]
    assert not [word for word in hidden.split() if word in words]


def test_a_group_that_gets_no_name_of_an_option(tmp_path: Path) -> None:
    """Found by fuzzing: Hydra raises an error of Python for it."""
    fails(tmp_path, 2, "must be a string or a list", command=["train.py", "data=3", "model=true"])
