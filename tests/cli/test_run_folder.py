"""A run has its folder for itself, all of its ranks have the same, and folders may be called whatever they are."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from spotter.cli.run_folder import claim, occupied, outside_ranks
from spotter.errors import UserError
from tests.conftest import PROJECT, call, environment

SHORT = ["model=linear", "trainer.max_epochs=1"]


def test_a_folder_is_claimed_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(claim, [tmp_path / "a" / "run"] * 16))
    assert len(set(claimed)) == 16
    assert {path.name for path in claimed} == {"run", *(f"run_{n}" for n in range(2, 17))}


def test_a_run_at_work_keeps_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.cli.run_folder.RELEASE", 0.3)
    with occupied(tmp_path):
        if not (child := os.fork()):  # as a process that reads data: it holds nothing
            time.sleep(5)
            os._exit(0)
        with pytest.raises(UserError, match="another run is at work there"), occupied(tmp_path):
            pass
    with occupied(tmp_path):
        os.kill(child, 9)
        os.waitpid(child, 0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (True, False)),
        ({"RANK": "1", "WORLD_SIZE": "2"}, (False, True)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, (True, False)),
        ({"LOCAL_RANK": "1", "WORLD_SIZE": "2"}, (False, False)),  # started by Lightning, told where to write
        ({"SLURM_NTASKS": "2", "SLURM_PROCID": "1"}, (False, True)),
        ({"SLURM_NTASKS": "2", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "bash"}, (True, False)),
        ({"NODE_RANK": "1", "MASTER_ADDR": "a"}, (False, True)),
    ],
)
def test_who_is_first(given: dict[str, str], expected: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "NODE_RANK", "MASTER_ADDR", "SLURM_NTASKS", "SLURM_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert outside_ranks() == expected


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(cwd: Path, words: Sequence[str], env: dict[str, str], *before: str) -> subprocess.Popen[str]:
    command = [sys.executable, *before, str(PROJECT / "train.py"), *words]
    return subprocess.Popen(command, cwd=cwd, env=environment(env), text=True, stderr=subprocess.PIPE,
                            stdout=subprocess.DEVNULL)  # fmt: skip


def all_end_well(processes: Sequence[subprocess.Popen[str]]) -> None:
    try:
        for process in processes:
            _, said = process.communicate(timeout=200)
            assert process.returncode == 0, said
    finally:
        for process in processes:
            process.kill()


def by_hand(rank: int, port: int) -> tuple[dict[str, str], list[str]]:
    env = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return env, ["trainer=ddp_cpu"]


def by_srun(rank: int, port: int) -> tuple[dict[str, str], list[str]]:
    env = {"SLURM_NTASKS": "2", "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_NODEID": "0"}
    env |= {"SLURM_JOB_ID": str(port), "SLURM_JOB_NAME": "train", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1"}
    return env | {"MASTER_PORT": str(port)}, ["trainer=slurm", "trainer.accelerator=cpu"]


@pytest.mark.parametrize("started", [pytest.param(by_hand, marks=pytest.mark.slow), by_srun])
def test_ranks_that_start_seconds_apart_have_one_folder(tiny: list[str], tmp_path: Path, started: object) -> None:
    """The second rank starts when another second has begun; both train one run."""
    port, words, ranks = free_port(), [word for word in tiny if word != "trainer=cpu"], []
    for rank in (1, 0):
        env, more = started(rank, port)  # type: ignore[operator]
        ranks.append(start(tmp_path, [*words, *SHORT, *more], env))
        time.sleep(1.5)
    all_end_well(ranks)
    (run,) = tmp_path.glob("outputs/*/*")
    assert (run / "metrics.json").is_file()
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 4  # 32 clips, 8 a step


@pytest.mark.slow
def test_torchrun_with_two_nodes(tiny: list[str], tmp_path: Path) -> None:
    port, words = free_port(), [word for word in tiny if word != "trainer=cpu"]
    nodes = []
    for node in (0, 1):
        torchrun = ["-m", "torch.distributed.run", "--nnodes=2", f"--node-rank={node}", "--nproc-per-node=1"]
        torchrun += ["--master-addr=127.0.0.1", f"--master-port={port}"]
        more = ["trainer=ddp_cpu", "trainer.devices=1", "trainer.num_nodes=2"]
        nodes.append(start(tmp_path, [*words, *SHORT, *more], {}, *torchrun))
        time.sleep(1.5)
    all_end_well(nodes)
    (run,) = tmp_path.glob("outputs/*/*")
    assert (run / "metrics.json").is_file()


@pytest.mark.slow
def test_a_folder_may_be_called_as_a_reference(tiny: list[str], tmp_path: Path) -> None:
    """Where runs and data lie below ``${e}``, a run trains, goes on and predicts; a relative root stays the same."""
    cwd = tmp_path / "${e}"
    cwd.mkdir()
    root = next(word for word in tiny if word.startswith("data.root=")).partition("=")[2]
    (cwd / "data ${x}").symlink_to(root)
    words = [*(word for word in tiny if not word.startswith("data.root=")), *SHORT]
    called = call("train.py", *words, "data.root=data ${x}", cwd=cwd)
    assert called.status == 0, called.err
    (run,) = cwd.glob("outputs/*/*")
    called = call("train.py", f"ckpt={run}/checkpoints/last.ckpt", "trainer.max_epochs=2", cwd=tmp_path)
    assert called.status == 0, called.err
    assert len((run / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 3
    called = call("predict.py", f"ckpt={run}", "out=out ${e}", "trainer=cpu", cwd=cwd)
    assert called.status == 0, called.err
    assert (cwd / "out ${e}" / "metrics.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["${e}"]
