"""What people see while a run goes on: bars and lines, with epochs counted from 1."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

import spotter.progress
from spotter.progress import ProgressDisplay, clock
from spotter.training.callbacks.progress import EpochBar, ProgressLines, progress_callback
from tests.conftest import call


@pytest.mark.slow
def test_without_a_terminal_lines_say_how_far_a_run_is(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every so often there is a line of training, of validation and of prediction, with the time that is left."""
    monkeypatch.setattr(spotter.progress, "INTERVAL", 0.0)
    called = call("train.py", *tiny, "data.eval_batch_size=1", cwd=tmp_path)
    assert called.status == 0, called.err
    for text in (
        "epoch 1/2  batch 1/4  loss ",
        "epoch 2/2  batch 4/4  loss ",
        "epoch 2  validation, batch 2/",
        "0:00 left",
    ):
        assert text in called.err
    assert "epoch 0" not in called.err
    assert "frames/s, 0:0" in called.err, "of prediction"


def test_lines_come_every_half_a_minute(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more often, and none for what is short."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    trainer: Any = SimpleNamespace(
        is_global_zero=True,
        current_epoch=2,
        max_epochs=4,
        num_training_batches=10,
        callback_metrics={"train/loss_step": 0.5},
        callbacks=[],
    )
    lines, module = ProgressLines(), None
    lines.on_train_start(trainer, module)  # type: ignore[arg-type]
    lines.on_train_epoch_start(trainer, module)  # type: ignore[arg-type]
    with caplog.at_level(logging.INFO):
        for batch in range(10):
            now[0] += 10
            lines.on_train_batch_end(trainer, module, None, None, batch)  # type: ignore[arg-type]
    assert caplog.messages == [
        "epoch 3/4  batch 3/10  loss 0.5000  2:50 left",
        "epoch 3/4  batch 6/10  loss 0.5000  2:20 left",
        "epoch 3/4  batch 9/10  loss 0.5000  1:50 left",
    ]


def test_bar_counts_from_1() -> None:
    bar = EpochBar()
    bar._trainer = SimpleNamespace(max_epochs=3)  # type: ignore[assignment]
    assert bar._get_train_description(0).strip() == "Epoch 1/3"
    assert isinstance(progress_callback(), ProgressLines), "no terminal here"


def test_watch_shows_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rate and time left, and nothing is left of it at the end."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(spotter.progress, "Console", lambda **_: console)
    with ProgressDisplay(200, "frames") as watch:
        watch.update(0.5)
        watch._bar.refresh()
    assert "100 of 200 frames, " in screen.getvalue()


def test_clock() -> None:
    assert [clock(seconds) for seconds in (0, 59.6, 754, 3600 * 11 + 61)] == ["0:00", "1:00", "12:34", "11:01:01"]
