"""What a notebook needs: progress that shows, Ctrl-C that stops, mistakes in one line, nothing left behind."""

from __future__ import annotations

import io
import logging
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import spotter
import spotter.progress
from spotter.errors import UserError
from spotter.progress import stderr_console, visible_log


def settings_of_process() -> object:
    """Return what a kernel must keep: signal handlers, and how logging is set up."""
    logger = logging.getLogger("spotter")
    signals = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    return signals, list(logging.root.handlers), list(logger.handlers), logger.level, logger.propagate


@pytest.mark.slow
def test_ctrl_c_stops_training_and_the_run_goes_on(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same process, as after interrupting a cell."""
    monkeypatch.chdir(tmp_path)
    before = settings_of_process()
    words = [*tiny, "model=linear", "+callbacks.stop._target_=tests.helpers.interrupt.Interrupt"]
    with pytest.raises(KeyboardInterrupt) as interrupted:
        spotter.train(words)
    assert interrupted.value.__suppress_context__, "one traceback is enough"
    assert settings_of_process() == before
    run = spotter.train([*words, "ckpt=last"])
    assert settings_of_process() == before
    assert len((run.folder / "metrics.csv").read_text().splitlines()) == 3, "both epochs, below the names"
    assert [run.folder] == [path.absolute() for path in tmp_path.glob("outputs/*/*")]


def test_a_mistake_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """IPython asks an exception how it is to be shown."""
    assert UserError("data.root: no folder")._render_traceback_() == ["UserError: data.root: no folder"]
    monkeypatch.setenv("SPOTTER_DEBUG", "1")
    with pytest.raises(UserError) as raised:
        spotter.load("missing.ckpt")
    assert "Traceback" in "".join(raised.value._render_traceback_())


def test_processes_of_a_notebook_write_no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks them for colour, and shows what they write as text."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not stderr_console().is_terminal


@pytest.mark.parametrize(
    ("notebook", "level", "shown"), [(True, "WARNING", 1), (True, "INFO", 0), (False, "WARNING", 0)]
)
def test_handlers_that_a_notebook_brings_hide_no_progress(
    notebook: bool, level: str, shown: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it shows warnings alone, progress is shown once; whatever a user has set up stays."""
    screen = io.StringIO()
    root = logging.Logger("root", level)
    monkeypatch.setattr(logging.getLogger("spotter"), "parent", root)
    root.addHandler(logging.NullHandler())
    logging.getLogger("spotter").setLevel(logging.NOTSET)  # which forgets what loggers remember of their levels
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(spotter.progress, "stderr_console", lambda: SimpleNamespace(is_jupyter=notebook))
    before = settings_of_process()
    with visible_log():
        logging.getLogger("spotter.somewhere").info("epoch 1/2")
    assert screen.getvalue().count("epoch 1/2") == shown
    assert settings_of_process() == before
