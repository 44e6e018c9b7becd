"""What shifts, temporal head and folding cost or save: ratios of CPU time on one thread, and of peak memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from tests.conftest import environment

STEP, MEMORY = 1.3, 1.25  # of a training step of the plain backbone, at most
INFERENCE = 1.5  # times as many frames per CPU second as the training network's forward in float32, at least


def measured(mode: str, frames: int, rounds: int, *names: str) -> dict[str, Any]:
    """Return what a process of its own measured."""
    program = Path(__file__).with_name("e2e_process.py")
    command = [sys.executable, str(program), mode, str(frames), str(rounds), *names]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert ran.returncode == 0, ran.stderr
    return orjson.loads(ran.stdout.splitlines()[-1])


def ratio(seconds: dict[str, list[float]], name: str, base: str) -> float:
    """Return the median of the ratios of neighbouring runs, which other load on the machine disturbs least."""
    return statistics.median(a / b for a, b in zip(seconds[name], seconds[base], strict=True))


def test_training_step() -> None:
    """One step on 32 frames of 224 x 224, against the backbone alone in the same memory format."""
    names = ("plain", "none", "tsm", "gsm")
    seconds = measured("train", 32, 9, *names)["seconds"]
    peaks = {name: measured("train", 32, 3, name)["peak_mb"] for name in names}
    for name in names:
        cpu, times = statistics.median(seconds[name]), ratio(seconds, name, "plain")
        sys.stdout.write(
            f"\n{name:6} step {cpu:.2f} CPU s, {times:.2f} x; peak {peaks[name]:.0f} MB, "
            f"{peaks[name] / peaks['plain']:.2f} x"
        )
    assert ratio(seconds, "gsm", "plain") <= STEP
    assert peaks["gsm"] <= MEMORY * peaks["plain"]


def test_inference() -> None:
    """64 frames of 224 x 224 through the training network, and through its folded copies."""
    seconds = measured("infer", 64, 7, "training", "float32", "bfloat16")["seconds"]
    for name, took in seconds.items():
        rate, times = 64 / statistics.median(took), ratio(seconds, "training", name)
        sys.stdout.write(f"\n{name:9} {rate:.0f} frames per CPU s, {times:.2f} x")
    assert ratio(seconds, "training", "bfloat16") >= INFERENCE
