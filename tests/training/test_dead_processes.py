"""Processes that die or are told to: the job ends with one line, goes on later, and leaves no part of a file."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import orjson
import pytest
import torch

from spotter.training.module import SpottingModule
from tests.conftest import PROJECT, call, environment
from tests.helpers.videos import write_matches, write_video
from tests.training.test_resume import after_epoch, running, the_run

LONG = ["model=linear", "trainer.max_epochs=500", "callbacks.early_stopping=null"]


def children_of(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def says_one_line(process: subprocess.Popen[str], said: str, limit: float = 60.0) -> None:
    """Assert that a process ends in time with status 1 and one error."""
    _, err = process.communicate(timeout=limit)
    errors = [line for line in err.splitlines() if "error: " in line]
    assert process.returncode == 1, err
    assert len(errors) == 1, err
    assert said in errors[0]
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_rank_that_is_killed_ends_the_job(tiny: list[str], tmp_path: Path) -> None:
    words = [*tiny, *LONG, "trainer=ddp_cpu"]
    with running(tmp_path, *words) as process:
        after_epoch(tmp_path, 1)
        (rank,) = [pid for pid in children_of(process.pid) if b"train.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(rank, signal.SIGKILL)
        says_one_line(process, "error: rank 1 (signal 9) has died, maybe since the machine has run out of memory")


def test_the_line_is_said_whoever_sees_first_that_a_rank_was_killed() -> None:
    """Lightning looks every five seconds and would kill the job without a line; it looks at once here."""
    script = """
import os, subprocess, time
from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from spotter.training.rank_watch import watch_ranks
ranks = [subprocess.Popen(["sleep", "60"])]
watch_ranks(None)  # which knows of no ranks here
_ChildProcessObserver(os.getpid(), ranks, sleep_period=0.5).start()
ranks[0].kill()
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], env=environment(), cwd=PROJECT, stderr=subprocess.PIPE,
                          text=True) as process:  # fmt: skip
        says_one_line(process, "error: rank 1 (signal 9) has died")


@pytest.mark.slow
def test_a_reader_that_is_killed_ends_the_job(tmp_path: Path) -> None:
    words = ["model=e2e_spot", "data=ball", f"data.root={write_matches(tmp_path / 'matches')}", "data.num_workers=1"]
    words += ["data.fps=12.5", "data.size=[36,64]", "data.crop=[32,48]", "data.batch_size=2", "model.pretrained=false"]
    words += ["model.clips.clip_len=16", "model.clips.per_epoch=6", "trainer=cpu", "logger=none"]
    step = SpottingModule.training_step
    main = os.getpid()

    def kills(self: SpottingModule, batch: object, batch_idx: int) -> torch.Tensor:
        if self.current_epoch == 1:
            mine = Path(f"/proc/{main}/cmdline").read_bytes()  # as forks have it, too
            readers = [pid for pid in children_of(main) if Path(f"/proc/{pid}/cmdline").read_bytes() == mine]
            os.kill(readers[-1], signal.SIGKILL)
            time.sleep(0.5)
        return step(self, batch, batch_idx)  # type: ignore[arg-type]

    with mock.patch.object(SpottingModule, "training_step", kills):
        called = call("train.py", *words, cwd=tmp_path)
    assert called.status == 1, called.err
    last = called.err.splitlines()[-1]
    assert last.startswith("error: a process that reads data was killed (Killed), maybe since the machine has run out")
    assert "Traceback" not in called.err


@pytest.mark.slow
def test_a_job_that_must_give_way_is_queued_again_and_goes_on(tiny: list[str], tmp_path: Path) -> None:
    """A stand-in for scontrol keeps what it was told; SLURM then starts the same command again."""
    tools, words = tmp_path / "bin", [*tiny, "model=linear", "trainer=slurm", "trainer.strategy=auto"]
    words += ["trainer.accelerator=cpu", "trainer.max_epochs=40", "callbacks.early_stopping=null"]
    tools.mkdir()
    (tools / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n', encoding="utf-8")
    (tools / "scontrol").chmod(0o755)
    slurm = {
        "SLURM_JOB_ID": "4077",
        "SLURM_NTASKS": "1",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
    }
    slurm |= {"SLURM_JOB_NAME": "train", "PATH": f"{tools}:{os.environ['PATH']}"}
    command = [sys.executable, str(PROJECT / "train.py"), *words]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(slurm), stderr=subprocess.PIPE, text=True) as process:
        after_epoch(tmp_path, 2)
        process.send_signal(signal.SIGUSR1)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "job 4077 is queued again" in err
    assert (tmp_path / "told").read_text(encoding="utf-8") == "requeue 4077\n"
    again = slurm | {"SLURM_RESTART_COUNT": "1"}
    called = call("train.py", *words, cwd=tmp_path, env=again)
    assert called.status == 0, called.err
    assert (the_run(tmp_path) / "metrics.json").is_file()
    others = [word for word in words if not word.startswith("trainer.max_epochs=")]
    called = call("train.py", *others, "trainer.max_epochs=1", cwd=tmp_path, env=again)
    assert called.status == 0, called.err
    assert len(list(tmp_path.glob("outputs/*/*"))) == 2, "the next run of the same job is another one"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["demo", "prepare"])
def test_termination_leaves_no_part_of_a_file_and_says_how_to_go_on(command: str, tmp_path: Path) -> None:
    words = ["demo", str(tmp_path / "out"), "--kind", "video", "--minutes", "4", "--games", "3", "0", "0"]
    if command == "prepare":
        (tmp_path / "in").mkdir()
        write_video(tmp_path / "in" / "1_224p.mkv", 6000, size=(96, 128))
        words = ["prepare", "video", str(tmp_path / "in"), str(tmp_path / "out"), "--fps", "25"]
    process = subprocess.Popen([sys.executable, "-m", "spotter", *words], env=environment(), cwd=PROJECT,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    end = time.monotonic() + 60
    while not list(tmp_path.glob("out/**/.*.part")) and time.monotonic() < end:
        time.sleep(0.01)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines()[-2:] == ["what is written so far is whole; the same command goes on", "interrupted"]
    assert list(tmp_path.glob("out/**/.*.part")) == []


@pytest.mark.slow
def test_damaged_files_are_named_or_skipped_and_counted(tree: Path, tiny: list[str], tmp_path: Path) -> None:
    """A label file before the run, and a feature file that is cut in the middle of it."""
    root = Path(shutil.copytree(tree, tmp_path / "tree"))
    games = orjson.loads((root / "splits.json").read_bytes())["train"]
    words = [*tiny, f"data.root={root}", "model=linear", "data.max_beyond_end=1"]
    step, (file,) = SpottingModule.training_step, (root / games[0]).glob("1_*.npy")

    def cuts(self: SpottingModule, batch: object, batch_idx: int) -> torch.Tensor:
        if self.current_epoch == 1 and batch_idx == 0:
            rows = np.load(file)
            os.truncate(file, file.stat().st_size - rows.nbytes // 2)
        return step(self, batch, batch_idx)  # type: ignore[arg-type]

    for on_error in ("raise", "skip"):
        shutil.copy(tree / file.relative_to(root), file)
        with mock.patch.object(SpottingModule, "training_step", cuts):
            called = call("train.py", *words, f"data.on_error={on_error}", "trainer.max_epochs=3", cwd=tmp_path)
        assert called.status == (on_error == "raise"), called.err
        assert f"{file}: is shorter than it was when the run began" in called.err
        assert ("clips could not be read" in called.err) == (on_error == "skip")
    shutil.copy(tree / file.relative_to(root), file)
    (root / games[1] / "Labels-v2.json").write_text("{", encoding="utf-8")
    called = call("train.py", *words, "trainer.max_epochs=1", cwd=tmp_path)
    assert (called.status, "Labels-v2.json" in called.err) == (1, True)
    called = call("train.py", *words, "data.on_error=skip", "trainer.max_epochs=1", cwd=tmp_path)
    assert called.status == 0, called.err
    assert "split train goes on without 1 damaged files, first " in called.err
