"""Make many stores at once, each in its own process, so that a file that crashes its decoder stops no other."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess

import av

from spotter.data.video.jobs import Job
from spotter.data.video.prepare import make
from spotter.data.video.store import StoreHeader
from spotter.errors import UserError


@dataclass(slots=True)
class Result:
    """Hold the outcome of a job: its store's header or an error, and warnings."""

    job: Job
    header: StoreHeader | None = None
    there_before: bool = False
    error: str = ""
    warnings: list[str] = field(default_factory=list)


def make_all(jobs: Sequence[Job], workers: int, advance: Callable[[int], None]) -> Iterator[Result]:
    """Make stores, ``workers`` at a time, and yield the result of each.

    advance : called with the number of images that have become ready
    When the caller stops, by an interrupt for instance, all processes end and leave no part of a file.
    """
    context = _context()
    waiting, running = list(reversed(jobs)), dict[Connection, tuple[BaseProcess, Result]]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                ours, theirs = context.Pipe(duplex=False)
                job = waiting.pop()
                process: BaseProcess = context.Process(target=_work, args=(job, theirs), daemon=True)
                process.start()
                theirs.close()
                running[ours] = (process, Result(job))
            for pipe in wait(list(running)):
                if isinstance(pipe, Connection) and _receive(pipe, *running[pipe], advance):
                    yield running.pop(pipe)[1]
    finally:
        for process, _ in running.values():
            process.terminate()
        for process, _ in running.values():
            process.join()


def _context() -> ForkServerContext | SpawnContext:
    """Return how processes are started: none inherits threads or open videos."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _receive(pipe: Connection, process: BaseProcess, result: Result, advance: Callable[[int], None]) -> bool:
    """Take a message from a process; return whether it was the last."""
    try:
        kind, content = pipe.recv()
    except EOFError:
        process.join()
        result.error = f"{result.job.source}: the process that read it died ({process.exitcode})"
        return True
    if kind == "made":
        advance(content)
    elif kind == "warning":
        result.warnings.append(content)
    elif kind == "failed":
        result.error = content
    else:
        result.header, result.there_before = content
    ended = kind in ("failed", "ready")
    if ended:
        process.join()
        pipe.close()
    return ended


def _work(job: Job, pipe: Connection) -> None:
    """Make one store and send what happens to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by an exception, so that part of a file is deleted
    logging.getLogger().handlers = [_Sender(pipe)]
    try:
        pipe.send(("ready", make(job, lambda images: pipe.send(("made", images)))))
    except (UserError, OSError, av.FFmpegError) as error:
        pipe.send(("failed", str(error) if isinstance(error, UserError) else f"{job.source}: {error}"))


class _Sender(logging.Handler):
    """Send warnings to the parent."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__(logging.WARNING)
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        """Send one."""
        self._pipe.send(("warning", record.getMessage()))
