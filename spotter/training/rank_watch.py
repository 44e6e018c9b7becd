"""Ranks that die: the others end at once, with a line that says which one died and why it may have."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

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


def watch_ranks(launcher: object) -> threading.Event:
    """Watch the ranks that Lightning's ``launcher`` starts, and in these the first; return what ends the watch.

    A rank that is gone would keep the others waiting, for minutes or for ever.
    """
    ended, started_by = threading.Event(), os.getppid() if int(os.environ.get("LOCAL_RANK", 0)) else None

    def watch() -> None:
        while not ended.wait(PERIOD):
            processes = launcher.procs if isinstance(launcher, LAUNCHERS) else []
            dead = [rank for rank, each in enumerate(processes, start=1) if each.poll() in VIOLENT]
            if dead or (started_by is not None and os.getppid() != started_by):
                for process in processes:
                    process.kill()
                who = f"rank {dead[0]} (signal {-processes[dead[0] - 1].returncode})" if dead else "rank 0"
                sys.stderr.write(f"error: {who} has died, {REASON}\n")
                sys.stderr.flush()
                os._exit(FAILURE)

    if "TORCHELASTIC_RUN_ID" not in os.environ and "SLURM_PROCID" not in os.environ:  # those watch themselves
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
