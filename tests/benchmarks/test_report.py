"""A report on a season (100 games, about 1000 predictions a half): size, time to write it, time until it is drawn."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from spotter.evaluation.report import write_report
from tests.helpers.reports import V2, chromium, matches


@pytest.mark.parametrize("games", [2, 100])
def test_report(games: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, predictions = matches(V2, games, spots=110, alarms=1000)
    path = tmp_path / "report.html"
    start = time.process_time()
    write_report(path, predictions, V2, labels)
    written, size = time.process_time() - start, path.stat().st_size / 1e6
    with capsys.disabled():
        sys.stdout.write(f"\n{games} games: {written:.2f} s of CPU to write, {size:.2f} MB")
    assert written < (2 if games < 10 else 10)
    assert size < 15
    with chromium() as page:
        page.open(path)
        drawn = int(page("return document.documentElement.dataset.ready"))
        page("document.getElementById('curves').scrollIntoView({behavior: 'instant'})")
        page.wait("return document.querySelectorAll('.chart .main-svg').length >= 2")
        charts, memory = page("return [performance.now(), performance.memory.usedJSHeapSize / 1e6]")
        start = time.monotonic()
        page.slide(100)
        page("document.getElementById('errors').getBoundingClientRect()")
        slid = time.monotonic() - start
    with capsys.disabled():
        told = f"drawn after {drawn} ms, charts after {charts:.0f} ms, {memory:.0f} MB of heap, slider {slid:.2f} s"
        sys.stdout.write(f"; {told}\n")
    assert drawn < 10_000
