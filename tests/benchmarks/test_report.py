"""A report on a season (100 games, about 1000 predictions a half): CPU time to write it, and that it is drawn."""

from __future__ import annotations

import sys
from pathlib import Path

from spotter.evaluation.average_map import average_map
from spotter.evaluation.report import write_report
from tests.benchmarks.conftest import Note
from tests.benchmarks.pairs import compare
from tests.helpers.reports import V2, chromium, matches


def test_report(note: Note, tmp_path: Path) -> None:
    labels, predictions = matches(V2, 100, spots=110, alarms=1000)
    path = tmp_path / "report.html"
    found = compare(
        lambda: write_report(path, predictions, V2, labels), lambda: average_map(labels, predictions, V2), 3, warmup=0
    )
    note("report", found)
    assert path.stat().st_size < 15e6
    with chromium() as page:
        page.open(path)
        drawn = int(page("return document.documentElement.dataset.ready"))
        page("document.getElementById('curves').scrollIntoView({behavior: 'instant'})")
        page.wait("return document.querySelectorAll('.chart .main-svg').length >= 2")
        charts, memory = page("return [performance.now(), performance.memory.usedJSHeapSize / 1e6]")
    sys.stdout.write(f"\ndrawn after {drawn} ms, charts after {charts:.0f} ms, {memory:.0f} MB of heap")
