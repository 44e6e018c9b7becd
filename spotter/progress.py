"""How far long work is: a bar where somebody watches, else a line in the log every so often."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)
INTERVAL = 30.0  # seconds from one line to the next


class ProgressDisplay:
    """Show the progress of work, on a terminal or in a notebook as a bar, in logs as a line every half a minute.

    total : how much there is to do, in ``unit``
    shown : False for none at all
    """

    def __init__(self, total: int, unit: str, shown: bool = True) -> None:
        self.total, self.unit, self._shown = total, unit, shown
        console = stderr_console()
        watched = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
        self._lines = Lines() if shown and not watched else None
        columns = (BarColumn(), TextColumn("{task.fields[text]}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not (shown and watched))
        self._task = self._bar.add_task("", total=total, text="")
        self._begin = time.monotonic()

    def __enter__(self) -> Self:
        self._begin = time.monotonic()
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        seconds = time.monotonic() - self._begin
        if self._shown and kind is None:
            rate = _rate(self.total / seconds)
            log.info("%s %s in %.1f s: %s %s/s", f"{self.total:,}", self.unit, seconds, rate, self.unit)

    def update(self, fraction: float) -> None:
        """Show that a fraction of all is done."""
        done, seconds = fraction * self.total, time.monotonic() - self._begin
        text = f"{done:,.0f} of {self.total:,} {self.unit}, {_rate(done / max(seconds, 1e-9))} {self.unit}/s"
        self._bar.update(self._task, completed=done, text=text)
        if self._lines is not None and self._lines.due() and 0 < fraction < 1:
            log.info("%s, %s left", text, clock(seconds / fraction - seconds))


def print_table(table: RenderableType) -> None:
    """Print a table on standard output, in colour only on a terminal."""
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120, highlight=False).print(table)


def stderr_console() -> Console:
    """Return standard error as a screen: a terminal only where it is one, though a notebook sets FORCE_COLOR."""
    return Console(stderr=True, force_terminal=None if sys.stderr.isatty() else False)


@contextmanager
def visible_log() -> Iterator[None]:
    """Write the log of spotter to standard error while the block runs, unless the caller has set logging up.

    Notebooks on the web come with a handler that shows warnings alone: that counts as not set up.
    """
    logger = logging.getLogger("spotter")
    notebook = stderr_console().is_jupyter and not logger.isEnabledFor(logging.INFO)
    if logger.hasHandlers() and not notebook:
        yield
        return
    handler, level, propagate = logging.StreamHandler(), logger.level, logger.propagate
    handler.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False
    if level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


class Lines:
    """Say when it is time for another line in the log."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def due(self) -> bool:
        """Return whether INTERVAL seconds have gone by since the beginning or since this last was True."""
        now = time.monotonic()
        if now - self._last < INTERVAL:
            return False
        self._last = now
        return True


def clock(seconds: float) -> str:
    """Return a duration as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def _rate(a_second: float) -> str:
    return f"{a_second:,.1f}" if a_second < 10 else f"{a_second:,.0f}"
