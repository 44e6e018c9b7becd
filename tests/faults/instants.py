"""Kill a command at chosen instants: at its n-th operation on files, or after a fraction of the time that it takes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

COUNT = int(os.environ.get("FAULTS", "2"))  # instants of each kind of work; `make faults` takes twenty
OPERATIONS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree")
LIMIT = 300.0  # seconds

Work = Callable[[], int]  # what a command does; returns its exit status


class Armed:
    """Say when operations count; a test may restrict them to a part of the work."""

    now = True


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """Hold how many operations on files a work has, and how many seconds it takes."""

    operations: int
    seconds: float


def undisturbed(work: Work, folder: Path) -> Undisturbed:
    """Run a work to its end in a process of its own."""
    note, began = folder / "operations", time.monotonic()

    def counting() -> int:
        counted = [0]

        def hook(event: str, _: object) -> None:
            counted[0] += event in OPERATIONS and Armed.now

        sys.addaudithook(hook)
        status = work()
        note.write_text(str(counted[0]), encoding="utf-8")
        return status

    assert _run(counting, None) == 0, "the work fails without a fault"
    return Undisturbed(int(note.read_text(encoding="utf-8")), time.monotonic() - began)


def instants(known: Undisturbed, seed: int, by_time: bool = False) -> list[int | float]:
    """Draw instants: every other one an operation, the others seconds; with ``by_time`` all are seconds."""
    rng = np.random.default_rng(seed)
    drawn: list[int | float] = []
    for number in range(COUNT):
        share = float(rng.uniform(0.02, 0.98))
        seconds = by_time or number % 2 == 1
        drawn.append(share * known.seconds if seconds else 1 + int(share * known.operations))
    return drawn


def kill(work: Work, instant: int | float) -> bool:
    """Run a work and kill it, with all processes it has started; return whether it was killed before its end."""

    def dies() -> int:
        left = [instant]

        def hook(event: str, _: object) -> None:
            if event in OPERATIONS and Armed.now:
                left[0] -= 1
                if left[0] == 0:
                    os.killpg(0, signal.SIGKILL)

        if isinstance(instant, int):
            sys.addaudithook(hook)
        return work()

    status = _run(dies, None if isinstance(instant, int) else instant)
    assert status in (0, -signal.SIGKILL), f"ended with {status}"
    return status != 0


def _run(work: Work, seconds: float | None) -> int:
    """Run a work in a fork, in a group of its own; return its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        os.setsid()
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    end, limit = time.monotonic() + (seconds or LIMIT), seconds is None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            assert not limit, f"did not end within {LIMIT} s"
            return -signal.SIGKILL
        time.sleep(0.002)
