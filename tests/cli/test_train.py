"""``spotter.train`` in Python: the same run as on the command line, again and again in one process."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

import spotter
from spotter.errors import UsageError, UserError
from tests.conftest import call, files_below, process

TINIEST = ["model=linear", "trainer.max_epochs=1", "model.clips.per_epoch=16"]


@pytest.mark.slow
def test_runs_are_those_of_the_command(tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two in one process, logging left alone; each is loaded and predicts what it wrote."""
    monkeypatch.chdir(tmp_path)
    handlers = list(logging.getLogger().handlers)
    runs = [spotter.train([*tiny, *TINIEST, f"seed={seed}", f"hydra.run.dir=runs/{seed}"]) for seed in (1, 2)]
    assert logging.getLogger().handlers == handlers
    assert not GlobalHydra.instance().is_initialized()
    assert [run.folder for run in runs] == [tmp_path / "runs" / "1", tmp_path / "runs" / "2"]
    assert runs[0].metrics["valid"]["games"] == 1
    assert runs[0].metrics != runs[1].metrics
    called = call("train.py", *tiny, *TINIEST, "seed=1", "hydra.run.dir=runs/shell", cwd=tmp_path)
    assert called.status == 0, called.err
    shell, python = (files_below(tmp_path / "runs" / name / "predictions") for name in ("shell", "1"))
    assert shell == python
    assert runs[0].load(device="cpu").task.name == "soccernet-v2"


def test_mistakes_are_exceptions(tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key, a missing file and a sweep; nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"model\.lrr.*did you mean model\.lr\?"):
        spotter.train([*tiny, "model.lrr=1"])
    with pytest.raises(UserError, match=r"missing\.ckpt"):
        spotter.train([*tiny, "model.init_from=missing.ckpt"])
    with pytest.raises(UsageError, match=r"run_dir: run2 is no folder; give hydra\.run\.dir=run2"):
        spotter.train([*tiny, "run_dir=run2"])
    with pytest.raises(UsageError, match="multirun"):
        spotter.train(["--multirun", "seed=1,2"])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_several_devices_train_in_processes(tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ranks are not started from the user's own script."""
    monkeypatch.chdir(tmp_path)
    run = spotter.train([*tiny, *TINIEST, "trainer=ddp_cpu"])
    assert run.metrics["valid"]["games"] == 1
    assert [path.name for path in tmp_path.glob("outputs/*/*")] == [run.folder.name]


def test_processes_never_run_the_users_script(tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script of theirs may be named as ours is: it would call itself without end."""
    commands: list[list[str]] = []

    def run(command: list[str], check: bool) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "train.py")])
    monkeypatch.setattr(subprocess, "run", run)
    spotter.train([*tiny, *TINIEST, "trainer=ddp_cpu"])
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "spotter", "train"]


@pytest.mark.slow
def test_a_script_shows_its_epochs(tiny: list[str], tmp_path: Path) -> None:
    """Where logging is not set up, lines go to standard error, and only while the call lasts."""
    code = (
        "import logging, spotter\n"
        f"spotter.train({[*tiny, *TINIEST]!r}).load(device='cpu')\n"
        "logger = logging.getLogger('spotter')\n"
        "assert not logger.hasHandlers() and logger.level == logging.NOTSET, (logger.handlers, logger.level)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 1/1" in done.stderr
    assert "best weights: " in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("model", "times"), [("e2e_spot_dense", 1), ("e2e_spot", 0)])
def test_a_model_without_the_size_is_named(model: str, times: int, tmp_path: Path) -> None:
    """Its published size may be more than the machine can train."""
    ran = process("train.py", f"model={model}", "data=demo_video", "trainer.max_epochs=-1", cwd=tmp_path)
    line = f"size=demo: model {model} has no demo size, it is as published"  # logged, which others in here may silence
    assert (ran.stdout + ran.stderr).count(line) == times
