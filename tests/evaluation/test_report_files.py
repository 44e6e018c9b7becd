"""What leaves the report in a real browser is what spotter reads again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spotter.evaluation.report import write_report
from spotter.io.exchange.annotations import find_any_predictions, read_any_predictions
from spotter.io.exchange.files import read_collection
from spotter.types import METRIC_THRESHOLDS, Half, HalfPredictions, Period
from tests.helpers.reports import V2, Page, matches, write_video

LABELS, PREDICTIONS = matches(V2, 2)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, PREDICTIONS, V2, LABELS)
    return path


def saved(page: Page, button: str) -> str:
    """Return the text of the file that a button makes."""
    page("window.made = []; URL.createObjectURL = blob => (window.made.push(blob), '#')")
    page.click(button)
    return str(page.wait("return window.made[0].text()"))


@pytest.mark.slow
def test_predictions_are_saved_as_a_table_and_as_osl(page: Page, report: Path, tmp_path: Path) -> None:
    """What leaves the page is what spotter reads of the same predictions above the threshold."""
    page.open(report)
    page.slide(120)
    page.click('.checks [data-class="2"]')
    for button, name in (("#csv", "a.csv"), ("#osl", "a.json")):
        (tmp_path / name).write_text(saved(page, button), encoding="utf-8")
        found = read_any_predictions(tmp_path / name, find_any_predictions(tmp_path / name), V2)
        for half, rows in PREDICTIONS.items():
            kept = rows.take((rows.confidence >= METRIC_THRESHOLDS[120]) & (rows.label != 2))
            mine = sorted(zip(kept.label.tolist(), kept.time.tolist(), strict=True))
            assert sorted(zip(found[half].label.tolist(), found[half].time.tolist(), strict=True)) == mine
            confidence = np.sort(found[half].confidence)
            np.testing.assert_allclose(confidence, np.sort(kept.confidence), atol=2e-5)


def test_probable_label_errors_are_listed_and_saved(page: Page, report: Path, tmp_path: Path) -> None:
    page.open(report)
    summary = page("return JSON.parse(document.getElementById('summary').textContent).label_errors")
    assert len(summary) == page("return document.querySelectorAll('#doubts tbody tr').length") > 0
    (tmp_path / "errors.json").write_text(saved(page, "#errors-osl"), encoding="utf-8")
    found = read_collection(tmp_path / "errors.json")
    rows = [row for video in found.videos for row in video.rows]
    assert len(rows) == len(summary)
    assert sorted(float(row["confidence"]) for row in rows) == sorted(each["chance"] for each in summary)
    page.click("#doubts tbody tr")
    assert page("return +document.getElementById('half').value") == summary[0]["half"]
    assert page.complaints() == []


def test_halves_of_one_file(page: Page, tmp_path: Path) -> None:
    """The clock of the match, the time in the file, and an axis as long as the half."""
    halves = [Half("cup/final", number) for number in (1, 2, 3)]
    periods = [Period(10, 60), Period(70.5, 130), Period(140, 170)]
    rows = HalfPredictions(np.array([2, 3]), np.array([1.0, 20.0]), np.array([0.9, 0.8]))
    found = {half: replace(rows, period=period) for half, period in zip(halves, periods, strict=True)}
    write_video(tmp_path / "final.mp4", seconds=180, fps=1)
    videos = {half: ["final.mp4"] for half in halves}
    write_report(tmp_path / "r.html", found, V2, videos=videos)
    page.open(tmp_path / "r.html")
    page.press("]")
    page.press("n", "n")
    assert "20.0" in page.text("#detail strong")
    assert "45:20 of the match, 01:30.5 of the file" in page.text("#detail")
    page.click("#list tbody tr:nth-child(2)")
    page.wait("return Math.abs(document.querySelector('video').currentTime - 88.5) < 1.5")
    options = page("return [...document.getElementById('half').options].map(o => o.textContent)")
    assert options == ["final, half 1", "final, half 2", "final, extra time 1"]
    (tmp_path / "a.json").write_text(saved(page, "#osl"), encoding="utf-8")
    again = read_any_predictions(tmp_path / "a.json", ["cup/final"], V2)
    assert {half: spots.period for half, spots in again.items() if len(spots)} == dict(
        zip(halves, periods, strict=True)
    )
    assert page.complaints() == []
