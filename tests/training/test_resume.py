"""Interrupted runs: what is left, how they end, and that going on gives what an undisturbed run gives."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import yaml

from spotter.tasks import Task
from spotter.training.module import SpottingModule
from tests.conftest import PROJECT, call, environment, files_below

EVERYTHING_RANDOM = [
    "model.mixup={alpha:2.0,probability:0.5}",
    "model.network.dropout=0.1",
    "model.network.input_dropout=0.3",
    "model.network.extractor_dropout=0.2",
    "model.network.token_dropout=0.2",
    "callbacks.ema.decay=0.9",
    "data.num_workers=2",
    "trainer.max_epochs=4",
    "trainer.accumulate_grad_batches=2",
    "seed=7",
]


OTHER_WAYS = [  # to draw clips, to mix them, and to step
    "model.clips.sampling=balanced",
    "model.clips.balanced_mixup=true",
    "model.mixup={alpha:1.0,beta:0.6,probability:1.0}",
    "model.head.mix_displacement=true",
    "model.augment={swap:0.3}",
    "model.schedule=plateau",
    "model.plateau={patience:0,factor:0.5}",
    "model.lr=0.05",  # so that the loss does not always fall
    "model.sam=0.05",
    "callbacks.ema.decay=0.9",
    "trainer.max_epochs=5",
]


def the_run(cwd: Path) -> Path:
    """Return the only run below ``cwd``."""
    (run,) = cwd.glob("outputs/*/*")
    return run


@contextmanager
def running(cwd: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``train.py`` in the background, in a process group of its own as a terminal does."""
    command = [sys.executable, str(PROJECT / "train.py"), *arguments]
    process = subprocess.Popen(
        command, cwd=cwd, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment(),
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def after_epoch(cwd: Path, epoch: int, limit: float = 120.0) -> None:
    """Wait until the run below ``cwd`` has finished ``epoch`` epochs."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        tables = list(cwd.glob("outputs/*/*/metrics.csv"))
        if tables and len(tables[0].read_text(encoding="utf-8").splitlines()) > epoch:
            return
        time.sleep(0.01)
    pytest.fail(f"epoch {epoch} did not end within {limit} s")


@contextmanager
def interrupted(epoch: int, batch: int = 0) -> Iterator[None]:
    """Let training within this process end with an error at a batch of an epoch."""
    step = SpottingModule.training_step

    def fails(self: SpottingModule, data: Any, batch_idx: int) -> torch.Tensor:
        if self.current_epoch == epoch and batch_idx == batch:
            raise OSError("the disk went away")
        return step(self, data, batch_idx)

    with mock.patch.object(SpottingModule, "training_step", fails):
        yield


def same_weights(one: Path, other: Path) -> None:
    """Assert that two runs have bit-identical checkpoints: weights, averages, optimiser and progress."""
    for name in ("best", "last"):
        a, b = (torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True) for run in (one, other))
        assert a["state_dict"].keys() == b["state_dict"].keys()
        for part in ("state_dict", "current_model_state"):
            assert all(torch.equal(a[part][key], b[part][key]) for key in a[part])
        for ours, theirs in zip(a["optimizer_states"], b["optimizer_states"], strict=True):
            assert ours["param_groups"] == theirs["param_groups"]
            for key, state in ours["state"].items():
                assert all(torch.equal(state[moment], theirs["state"][key][moment]) for moment in state)
        assert a["lr_schedulers"] == b["lr_schedulers"]
        assert (a["epoch"], a["global_step"]) == (b["epoch"], b["global_step"])


@pytest.fixture(scope="module")
def undisturbed(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of 4 epochs that nobody disturbs."""
    cwd = tmp_path_factory.mktemp("undisturbed")
    called = call("train.py", *tiny, *EVERYTHING_RANDOM, cwd=cwd)
    assert called.status == 0, called.err
    return the_run(cwd)


def test_stopped_run_goes_on_as_if_it_never_was(undisturbed: Path, tiny: list[str], tmp_path: Path) -> None:
    """SIGTERM after epoch 2, then ``ckpt=last``: same folder, same numbers, same bits."""
    with running(tmp_path, *tiny, *EVERYTHING_RANDOM, "trainer.max_epochs=4") as process:
        after_epoch(tmp_path, 2)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert not (the_run(tmp_path) / "metrics.json").exists()
    torch.load(the_run(tmp_path) / "checkpoints" / "last.ckpt", weights_only=True)

    called = call("train.py", "model=transformer", "ckpt=last", cwd=tmp_path)
    assert called.status == 0, called.err
    run = the_run(tmp_path)
    for name in ("metrics.csv", "metrics.json"):
        assert (run / name).read_text(encoding="utf-8") == (undisturbed / name).read_text(encoding="utf-8")
    same_weights(run, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 3])
def test_any_epoch_is_a_place_to_go_on_from(undisturbed: Path, tiny: list[str], tmp_path: Path, epochs: int) -> None:
    """A run that ends with an error in the midst of any later epoch goes on with the same bits too."""
    with interrupted(epochs, batch=2):
        called = call("train.py", *tiny, *EVERYTHING_RANDOM, cwd=tmp_path)
    assert called.status == 1
    assert "error: the disk went away" in called.err
    called = call("train.py", f"ckpt={the_run(tmp_path)}/checkpoints/last.ckpt", cwd=tmp_path)
    assert called.status == 0, called.err
    run = the_run(tmp_path)
    assert (run / "metrics.csv").read_bytes() == (undisturbed / "metrics.csv").read_bytes()
    same_weights(run, undisturbed)


@pytest.mark.slow
def test_a_plateau_and_drawn_partners_go_on_as_well(tiny: list[str], tmp_path: Path) -> None:
    """The learning rate that fell at the end of the last epoch stays fallen, and no class is drawn again."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    called = call("train.py", *tiny, *OTHER_WAYS, cwd=tmp_path / "whole")
    assert called.status == 0, called.err
    whole = the_run(tmp_path / "whole")
    checkpoint = torch.load(whole / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["optimizer_states"][0]["param_groups"][0]["lr"] < 0.05, "a plateau was met"

    with interrupted(3):
        assert call("train.py", *tiny, *OTHER_WAYS, cwd=tmp_path / "cut").status == 1
    cut = the_run(tmp_path / "cut")
    called = call("train.py", f"ckpt={cut}/checkpoints/last.ckpt", cwd=tmp_path / "cut")
    assert called.status == 0, called.err
    assert (whole / "metrics.csv").read_bytes() == (cut / "metrics.csv").read_bytes()
    same_weights(whole, cut)


def test_ctrl_c_leaves_a_whole_checkpoint(tiny: list[str], tmp_path: Path) -> None:
    """Ctrl-C reaches the whole process group; the run ends with 130, says how to go on, and its checkpoint loads."""
    with running(tmp_path, *tiny, "trainer.max_epochs=1000", "data.num_workers=1") as process:
        after_epoch(tmp_path, 2)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "go on with ckpt=" in said
    run = the_run(tmp_path)
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    rows = len((run / "metrics.csv").read_text(encoding="utf-8").splitlines()) - 1
    assert last["epoch"] + 1 in (rows, rows - 1)  # the row is written just before the checkpoint
    assert not (run / "metrics.json").exists()


@pytest.mark.parametrize(
    ("word", "status", "said"),
    [
        ("model=linear", 2, "model=linear: the run of"),
        ("model.network.dim=32", 2, "goes on as it began, model=transformer"),
        ("model.schedule=linear", 2, "start a new run from its weights: model.init_from="),
        ("data.fold=1/4", 2, "has trained on other games; leave it out, or give the ckpt of that fold"),
    ],
)
def test_a_run_does_not_go_on_as_another(trained: Path, tmp_path: Path, word: str, status: int, said: str) -> None:
    """One line, and its folder is as it was."""
    run = tmp_path / "outputs" / "transformer-demo" / "run"
    shutil.copytree(trained, run)
    before = files_below(run)
    called = call("train.py", f"ckpt={run}/checkpoints/last.ckpt", word, cwd=tmp_path)
    assert called.status == status
    assert said in called.err
    assert called.err.count("\n") == 1
    assert files_below(run) == before


@pytest.mark.slow
def test_what_a_run_was_started_with_may_be_typed_again(tiny: list[str], tmp_path: Path) -> None:
    """The same command with ``ckpt=last`` after it is how many go on."""
    words = [*tiny, "model.network.dim=16", "model.network.heads=2", "model.schedule=linear"]
    with interrupted(epoch=1):
        assert call("train.py", *words, cwd=tmp_path).status == 1
    called = call("train.py", *words, "ckpt=last", cwd=tmp_path)
    assert called.status == 0, called.err
    assert (the_run(tmp_path) / "metrics.json").is_file()


def test_a_checkpoint_of_another_network_is_refused(trained: Path, tiny: list[str], tmp_path: Path) -> None:
    """Where nothing but the checkpoint is left of a run."""
    shutil.copy(trained / "checkpoints" / "last.ckpt", tmp_path / "alone.ckpt")
    called = call("train.py", *tiny, "ckpt=alone.ckpt", "model.network.dim=32", "model.network.heads=4", cwd=tmp_path)
    assert called.status == 1
    assert "ckpt: alone.ckpt is of another network or head than this model" in called.err
    assert "Traceback" not in called.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.head_lr_factor=10"], "another head_lr_factor"),
        (["data.task=turned.yaml"], "another list of classes"),
    ],
)
def test_a_checkpoint_of_other_classes_or_rates_is_refused(
    words: list[str], said: str, trained: Path, tiny: list[str], tmp_path: Path
) -> None:
    """The same classes in another order have weights of the same shapes."""
    task = Task.load("soccernet-v2").to_dict()
    turned = {**task, "classes": task["classes"][::-1], "splits": "soccernet-v2"}
    (tmp_path / "turned.yaml").write_text(yaml.safe_dump(turned), encoding="utf-8")
    shutil.copy(trained / "checkpoints" / "last.ckpt", tmp_path / "alone.ckpt")
    called = call("train.py", *tiny, "ckpt=alone.ckpt", "trainer.max_epochs=3", *words, cwd=tmp_path)
    assert called.status == 1
    assert f"ckpt: alone.ckpt is of {said} than this model" in called.err
    assert "Traceback" not in called.err


def test_a_run_of_version_0_1_is_not_resumed(tiny: list[str], tmp_path: Path) -> None:
    """Its weights can be started from, as the message says."""
    old = PROJECT / "tests" / "fixtures" / "v0_1" / "transformer.ckpt"
    called = call("train.py", *tiny, f"ckpt={old}", cwd=tmp_path)
    assert called.status == 1
    said = f"is of spotter 0.1, whose runs cannot be resumed; start a new run from its weights: model.init_from={old}"
    assert said in called.err
    assert called.err.count("\n") == 1


def test_last_without_an_unfinished_run(trained: Path, tmp_path: Path) -> None:
    """Nothing to go on with is one line, both where there is no run and where all are finished."""
    for cwd in (tmp_path, trained.parents[2]):
        called = call("train.py", "ckpt=last", cwd=cwd)
        assert called.status == 1
        assert called.err.startswith("error: ckpt=last: no unfinished run in outputs/transformer-demo")
        assert called.err.count("\n") == 1
    assert not (tmp_path / "outputs").exists()


def test_a_full_disk_ends_a_run_in_one_line_and_it_goes_on(tiny: list[str], tmp_path: Path) -> None:
    """The checkpoint that cannot be written is named, the one before it is whole."""
    words = [*tiny, "model=linear", "callbacks.ema=null"]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(epoch: int) -> None:
        if epoch == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))

    step = SpottingModule.training_step
    try:
        with mock.patch.object(
            SpottingModule, "training_step", lambda self, *given: (full(self.current_epoch), step(self, *given))[1]
        ):
            called = call("train.py", *words, cwd=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert called.status == 1
    assert "checkpoints/last.ckpt" in called.err or "checkpoints/best.ckpt" in called.err
    assert called.err.splitlines()[-1].startswith("error: [Errno 27] cannot be written, File too large: ")
    assert sorted(os.listdir(the_run(tmp_path) / "checkpoints")) == ["best.ckpt", "last.ckpt"]
    called = call("train.py", "model=linear", "ckpt=last", cwd=tmp_path)
    assert called.status == 0, called.err
