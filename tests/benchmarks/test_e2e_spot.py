"""What shifts, temporal head and folding cost or save, in processes of one thread; and peak memory."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import orjson
import pytest

from tests.benchmarks.conftest import Note
from tests.benchmarks.pairs import Pairs
from tests.conftest import PROJECT, environment


def measure(mode: str, frames: int, rounds: int, *names: str) -> dict[str, Any]:
    """Return what a process of its own measured."""
    command = [sys.executable, "-m", "tests.benchmarks.e2e_process", mode, str(frames), str(rounds), *names]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, env=environment())
    assert ran.returncode == 0, ran.stderr
    return orjson.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize(("key", "shift"), [("step_none", "none"), ("step_tsm", "tsm"), ("step_gsm", "gsm")])
def test_training_step(note: Note, key: str, shift: str) -> None:
    """One step on 32 frames of 224 x 224, against the backbone alone in the same memory format."""
    seconds = measure("train", 32, 5, shift, "plain")["seconds"]
    note(key, Pairs(seconds[shift], seconds["plain"]))


def test_memory_of_a_training_step(note: Note) -> None:
    peaks = {name: [measure("train", 32, 1, name)["peak_mb"] for _ in range(3)] for name in ("gsm", "plain")}
    note("step_memory", Pairs(peaks["gsm"], peaks["plain"]))


def test_inference(note: Note) -> None:
    """64 frames of 224 x 224 through the training network, and through its folded copy."""
    seconds = measure("infer", 64, 7, "fused", "training")["seconds"]
    note("inference", Pairs(seconds["fused"], seconds["training"]))
