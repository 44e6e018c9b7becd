"""Ranks that die: the others end at once, with a line that says which one died and why it may have."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from lightning_fabric.strategies.launchers.subprocess_script import _SubprocessScriptLauncher as FabricLauncher
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from spotter.errors import FAILURE, UserError

LAUNCHERS = (FabricLauncher, _SubprocessScriptLauncher)

REASON = (
    "maybe since the machine has run out of memory: take fewer devices, a lower data.batch_size or data.num_workers; "
    "ckpt=last goes on"
)
PERIOD = 0.5  # seconds from one look to the next
VIOLENT = {-int(each) for each in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)}  # no interruption
ENDING = threading.Lock()
KILL = _ChildProcessObserver._terminate_all  # what Lightning does, without a line


def find_killed(processes: list[subprocess.Popen[bytes]]) -> list[int]:
    """Return the ranks that were killed, of the ``processes`` of ranks 1, 2, ..."""
    return [rank for rank, each in enumerate(processes, start=1) if each.poll() in VIOLENT]


def end_job(processes: list[subprocess.Popen[bytes]]) -> NoReturn:
    """Kill the ranks of ``processes``, say which rank has died, and end this process at once."""
    killed = find_killed(processes)
    who = f"rank {killed[0]} (signal {-processes[killed[0] - 1].returncode})" if killed else "rank 0"
    with ENDING:  # never left: the first to come ends the process
        for process in processes:
            process.kill()
        sys.stderr.write(f"error: {who} has died, {REASON}\n")
        sys.stderr.flush()
        os._exit(FAILURE)


def name_killed(observer: _ChildProcessObserver) -> None:
    """End the job as ours does where Lightning's own watch is the first to see a rank that was killed."""
    if find_killed(observer._child_processes):
        end_job(observer._child_processes)
    KILL(observer)


def watch_ranks(launcher: object) -> threading.Event:
    """Watch the ranks that Lightning's ``launcher`` starts, and in these the first; return what ends the watch.

    A rank that is gone would keep the others waiting, for minutes or for ever.
    """
    ended, started_by = threading.Event(), os.getppid() if int(os.environ.get("LOCAL_RANK", 0)) else None

    def watch() -> None:
        while not ended.wait(PERIOD):
            processes = launcher.procs if isinstance(launcher, LAUNCHERS) else []
            if find_killed(processes) or (started_by is not None and os.getppid() != started_by):
                end_job(processes)

    if "TORCHELASTIC_RUN_ID" not in os.environ and "SLURM_PROCID" not in os.environ:  # those watch themselves
        _ChildProcessObserver._terminate_all = name_killed  # type: ignore[assignment,method-assign]
        threading.Thread(target=watch, daemon=True, name="rank watch").start()
    return ended


@contextmanager
def naming_dead_ranks() -> Iterator[None]:
    """Turn a connection to another rank that breaks into a UserError, unless the watch says which rank it is."""
    try:
        yield
    except RuntimeError as error:
        if not re.search(r"gloo|NCCL|[Cc]onnection (reset|closed) by", str(error)):
            raise
        time.sleep(4 * PERIOD)
        raise UserError(f"another rank has died, {REASON}") from error


@contextmanager
def watching(launcher: object) -> Iterator[None]:
    """Watch the ranks while the block runs."""
    ended = watch_ranks(launcher)
    try:
        with naming_dead_ranks():
            yield
    finally:
        ended.set()
