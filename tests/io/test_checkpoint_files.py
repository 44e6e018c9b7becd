"""Checkpoints survive what happens while one is written: kill -9, a full disk, little memory, a foreign $TMPDIR."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from spotter.io.checkpoints import save_checkpoint

WRITES = """
import resource, sys, torch
from spotter.io.checkpoints import save_checkpoint
tensors = {str(i): torch.full((1_000_000,), 1.0) for i in range(25)}  # 100 MB
save_checkpoint(sys.argv[1], {"number": 0, "state_dict": tensors})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
save_checkpoint(sys.argv[1], {"number": 1, "state_dict": tensors})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, flush=True)
for number in range(2, 1000):
    save_checkpoint(sys.argv[1], {"number": number, "state_dict": tensors})
"""


def test_killed_while_writing_it_is_the_old_one_or_the_new(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "last.ckpt", Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp")
    environment = {**os.environ, "TMPDIR": str(elsewhere), "PYTHONPATH": str(Path(__file__).parents[2])}
    before = set(os.listdir(elsewhere))
    command = [sys.executable, "-c", WRITES, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        grown = int(writer.stdout.readline())  # kilobytes
        while not list(tmp_path.glob(".last.ckpt.*.part")):
            time.sleep(0.001)
        writer.send_signal(signal.SIGKILL)
    assert grown < 20_000
    content = torch.load(path, weights_only=True)
    assert content["number"] >= 1
    assert all(bool((tensor == 1).all()) for tensor in content["state_dict"].values())
    assert not {name for name in os.listdir(elsewhere) if name not in before and "last.ckpt" in name}
    save_checkpoint(path, {"number": -1})
    assert os.listdir(tmp_path) == ["last.ckpt"]


def test_a_full_disk_leaves_the_old_one_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, {"number": 0})
    script = (
        "import resource, sys, torch; from spotter.io.checkpoints import save_checkpoint\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))\n"
        "save_checkpoint(sys.argv[1], {'number': 1, 'state_dict': {'a': torch.zeros(100_000)}})"
    )
    command = [sys.executable, "-c", script, str(path)]
    ran = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    last = ran.stderr.splitlines()[-1]
    assert last == f"OSError: [Errno 27] cannot be written, File too large: '{path}'"
    assert torch.load(path, weights_only=True) == {"number": 0}
    assert os.listdir(tmp_path) == ["last.ckpt"]
