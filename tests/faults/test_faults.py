"""Kill -9 at any instant of any work: ``ckpt=last`` or the same command then gives the undisturbed result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spotter.training.callbacks.average_map import AverageMap
from tests.conftest import PROJECT, call, environment, files_below
from tests.faults.instants import COUNT, Armed, instants, kill, undisturbed
from tests.helpers.videos import write_video
from tests.training.test_resume import same_weights

pytestmark = pytest.mark.slow  # run by make faults
LEFT_OUT = (
    ".hydra",
    "cost.json",
    "run.log",
    "output.txt",
    "report.html",
    "steps",
    "sweep.json",
    "sweep.md",
    "multirun.yaml",
)


def results(folder: Path) -> dict[str, bytes]:
    """Return what a work leaves, without logs, times and checkpoints; and no part of a file."""
    files = files_below(folder)
    assert not [name for name in files if name.endswith(".part")], "a part of a file is left"
    return {name: content for name, content in files.items()
            if not set(Path(name).parts) & {*LEFT_OUT, "checkpoints"}}  # fmt: skip


def check_kills(work: Callable[[Path], int], folder: Path, seed: int) -> None:
    """Check that work on a folder, killed after so many seconds and done again, leaves what it leaves undisturbed."""
    known = undisturbed(lambda: work(folder / "whole"), folder)
    killed = 0
    for number, instant in enumerate(instants(known, seed=seed, by_time=True)):
        out = folder / str(number)
        killed += kill(lambda out=out: work(out), instant)
        assert work(out) == 0
        assert results(out) == results(folder / "whole"), f"killed at {instant}"
    assert killed >= COUNT // 4  # seconds are others when the machine is less busy


def words_of(tiny: list[str], run: Path) -> list[str]:
    return [*tiny, "model=linear", "trainer.max_epochs=3", f"hydra.run.dir={run}"]


def goes_on(words: list[str], run: Path, cwd: Path) -> None:
    """Go on with a killed run as its user would: by its checkpoint, or again where it has none."""
    if (run / "metrics.json").is_file():
        return
    last = run / "checkpoints" / "last.ckpt"
    called = call("train.py", *([f"ckpt={last}"] if last.is_file() else words), cwd=cwd)
    assert called.status == 0, called.err


@pytest.fixture(scope="module")
def whole(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nobody disturbs."""
    cwd = tmp_path_factory.mktemp("whole")
    called = call("train.py", *words_of(tiny, cwd / "run"), cwd=cwd)
    assert called.status == 0, called.err
    return cwd / "run"


@pytest.mark.parametrize("part", ["train", "validate"])
def test_train(part: str, whole: Path, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anywhere in a run, and in its validations alone."""
    if part == "validate":
        monkeypatch.setattr(Armed, "now", False)
        for name, arms in (("on_validation_epoch_start", True), ("on_validation_epoch_end", False)):
            monkeypatch.setattr(AverageMap, name, arming(getattr(AverageMap, name), arms))
    known = undisturbed(lambda: call("train.py", *words_of(tiny, tmp_path / "first"), cwd=tmp_path).status, tmp_path)
    killed = 0
    for number, instant in enumerate(instants(known, seed=1)):
        if part == "validate":  # seconds would mostly lie elsewhere
            instant = 1 + int(known.operations * number / COUNT)
        run = tmp_path / str(number)
        words = words_of(tiny, run)
        killed += kill(lambda words=words: call("train.py", *words, cwd=tmp_path).status, instant)
        goes_on(words, run, tmp_path)
        assert results(run) == results(whole), f"killed at {instant}"
        same_weights(run, whole)
    assert killed >= COUNT // 2


def arming(hook: Callable[..., Any], arms: bool) -> Callable[..., Any]:
    """Return a hook of a callback that lets operations count from now on, or no longer."""

    def armed(*arguments: Any) -> Any:
        Armed.now = arms
        return hook(*arguments)

    return armed


def test_predict(whole: Path, tmp_path: Path) -> None:
    """A split with all that is written of it; the same command completes what was killed."""

    def predict(out: Path) -> int:
        return call("predict.py", f"ckpt={whole}", f"out={out}", "trainer=cpu", cwd=tmp_path).status

    assert predict(tmp_path / "first") == 0  # imports open files, too, but once
    known = undisturbed(lambda: predict(tmp_path / "whole"), tmp_path)
    killed = 0
    for number, instant in enumerate(instants(known, seed=2)):
        out = tmp_path / str(number)
        killed += kill(lambda out=out: predict(out), instant)
        assert predict(out) == 0
        assert results(out) == results(tmp_path / "whole"), f"killed at {instant}"
    assert killed >= COUNT // 2


def test_prepare(tmp_path: Path) -> None:
    """Stores that processes make: what is left of all of them at once does not disturb the next."""
    for number in (1, 2):
        write_video(tmp_path / "in" / f"{number}_224p.mkv", 300, size=(64, 96))
    (tmp_path / "in" / "Labels-v2.json").write_text("{}", encoding="utf-8")

    def prepare(out: Path) -> int:
        words = ["prepare", "video", str(tmp_path / "in"), str(out), "--fps", "25", "--height", "64"]
        command = [sys.executable, "-m", "spotter", *words]
        return subprocess.run(command, cwd=PROJECT, env=environment(), check=False, capture_output=True).returncode

    check_kills(prepare, tmp_path, seed=3)


def test_sweep(tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two jobs; a sweep in the same folder runs what has not finished. Jobs are forks, which spares their imports."""
    monkeypatch.setattr("spotter.cli.sweep.subprocess.run", forked)

    def sweep(folder: Path) -> int:
        words = [*tiny, "model=linear", "trainer.max_epochs=1", "seed=1,2", f"hydra.sweep.dir={folder}"]
        return call("train.py", "--multirun", *words, cwd=tmp_path).status

    check_kills(sweep, tmp_path, seed=4)


def forked(command: list[str], env: dict[str, str], **_: object) -> subprocess.CompletedProcess[bytes]:
    """Stand in for ``subprocess.run`` of a job: the same command, in a fork of this process."""
    words = command[command.index("train") + 1 :] if "train" in command else command[2:]
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = call("train.py", *words, cwd=Path.cwd(), env=env).status
        finally:
            os._exit(status)
    return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
