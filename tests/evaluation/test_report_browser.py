"""The report in a real browser: it says nothing on the console, and its controls do what they say."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.evaluation.error_causes import CAUSES, ErrorAnalysis
from spotter.evaluation.report import video_link, write_report
from spotter.tasks import Task
from spotter.types import METRIC_THRESHOLDS, Half, HalfPredictions
from tests.helpers.reports import V2, Page, matches, write_video

BALL = Task.load("ball-2023")
OWN = Half("<b>my & match</b>", 1)
LABELS, PREDICTIONS = matches(V2, 2)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_video(path.parent / "it's 1.mp4", seconds=2760, fps=1)
    videos = {half: [video_link(path.parent / "it's 1.mp4", path)] for half in LABELS if half.number == 1}
    write_report(
        path, PREDICTIONS, V2, LABELS, videos=videos, metrics={"postprocess": {"method": "nms", "window": 20.0}}
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_it_draws_itself_without_a_complaint(page: Page, report: Path, width: int, dark: bool) -> None:
    page.open(report, width=width, dark=dark)
    for section in ("scores", "classes", "curves", "errors", "timeline", "about"):
        page("document.getElementById(arguments[0]).scrollIntoView({behavior: 'instant'})", section)
        page.settle()
    page.wait("return document.querySelectorAll('.chart .main-svg').length >= 4")
    assert page("return document.documentElement.scrollWidth") == width
    assert page("return document.documentElement.dataset.theme") == ("dark" if dark else "light")
    assert (
        page("return performance.getEntriesByType('resource').filter(e => !/^(file|data|blob):/.test(e.name)).length")
        == 0
    )
    assert page("return document.documentElement.dataset.failed ?? null") is None
    assert page.complaints() == []


def counts(page: Page) -> dict[str, int]:
    """Return the number of each error as the page says it."""
    return dict(
        page("return [...document.querySelectorAll('#costs tbody tr')].map(r => [r.dataset.error, +r.dataset.count])")
    )


def expected(tolerance: int, step: int) -> dict[str, int]:
    """Return the number of each error as Python counts it."""
    errors = ErrorAnalysis(LABELS, PREDICTIONS, V2)
    found, threshold = errors.diagnose(tolerance), float(METRIC_THRESHOLDS[step])
    shown = np.bincount(found.cause[errors.detections.value >= threshold], minlength=len(CAUSES))
    missed = int(np.count_nonzero(errors.outcomes(found, threshold) == 3))
    return {**dict(zip(CAUSES[1:], shown[1:].tolist(), strict=True)), "missed": missed}


@pytest.mark.slow
def test_errors_are_counted_as_python_counts_them(page: Page, report: Path) -> None:
    page.open(report)
    for step in (150, 20, 90):
        page.slide(step)
        assert counts(page) == expected(5, step)
    page("const t = document.getElementById('tolerance'); t.value = 2; t.dispatchEvent(new Event('change'))")
    page.settle()
    assert counts(page) == expected(2, 90)
    assert "δ = 2 s" in page.text("#curves")
    page.click("#best")
    step = ErrorAnalysis(LABELS, PREDICTIONS, V2)
    assert page("return +document.getElementById('threshold').value") == step.best_threshold(step.diagnose(2))


def listed(page: Page) -> list[list[str]]:
    """Return the rows of the list under the timeline."""
    return page(
        "return [...document.querySelectorAll('#list tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    )


def test_slider_and_filters_choose_what_is_shown(page: Page, report: Path) -> None:
    page.open(report)
    page.slide(20)
    low = listed(page)
    page.slide(120)
    high = listed(page)
    assert len(high) < len(low)
    assert all(what == "missed" or float(confidence) >= 0.6 for _, _, what, confidence in high)
    before = page.text("#listed")
    page.click('#legend [data-name="missed"]')
    assert {row[2] for row in listed(page)} == {row[2] for row in high} - {"missed"}
    page.click('#legend [data-name="missed"]')
    assert page.text("#listed") == before
    page.click("#none")
    assert listed(page) == []
    page.click('.checks [data-class="1"]')
    assert {row[1] for row in listed(page)} == {V2.classes[1]}
    page.click("#all")
    assert listed(page) == high
    page("const h = document.getElementById('half'); h.value = 3; h.dispatchEvent(new Event('change'))")
    page.settle()
    assert listed(page) != high
    assert page.complaints() == []


@pytest.mark.slow
def test_keys_step_between_disagreements_and_halves(page: Page, report: Path) -> None:
    page.open(report)
    page.slide(150)
    rows = listed(page)
    seen = []
    for _ in rows:
        page.press("n")
        seen.append(page.text("#detail strong"))
    assert seen == [f"{time}  {name}" for time, name, *_ in rows]
    page.press("p")
    assert page.text("#detail strong") == seen[-2]
    page.press("n", "n")  # on into the next half
    assert page("return +document.getElementById('half').value") == 1
    assert page.text("#detail strong") == "  ".join(listed(page)[0][:2])
    page.press("[")
    assert page("return +document.getElementById('half').value") == 0
    assert re.match(r"\d+ of \d+ spots disagree in this half", page.text("#detail"))
    page("document.getElementById('canvas').focus()")
    page.press("ArrowRight", "ArrowRight", "ArrowLeft")
    assert page.text("#detail strong") == seen[0]


def test_zoom_keeps_the_selected_spot_and_the_worst_half_opens(page: Page, report: Path) -> None:
    page.open(report)
    page.press("n", "n", "+", "+", "+")
    chosen = page.text("#detail strong")
    page.click("#timeline details.card summary")
    page.wait("return document.querySelectorAll('#halves tbody tr').length == 4")
    scores = page("return [...document.querySelectorAll('#halves tbody tr')].map(r => +r.cells[6].textContent)")
    assert scores == sorted(scores)
    page.press("[")  # there is none before the first
    assert page.text("#detail strong") == chosen
    name = page.text("#halves tbody tr:nth-child(2) th").split("  ")[0]
    page.click("#halves tbody tr:nth-child(2)")
    assert page("return document.getElementById('half').selectedOptions[0].textContent").startswith(name)
    assert page.complaints() == []


def test_a_click_seeks_and_plays(page: Page, report: Path) -> None:
    page.open(report)
    page.wait("return document.querySelector('video').readyState >= 1")
    row = listed(page)[12]
    page("document.querySelectorAll('#list tbody tr')[12].click()")
    minutes, seconds = row[0].split(":")
    at = 60 * int(minutes) + float(seconds)
    page.wait("const v = document.querySelector('video'); return !v.seeking && !v.paused && v.currentTime > 1")
    assert at - 2.2 <= page("return document.querySelector('video').currentTime") <= at + 8
    page("document.getElementById('canvas').focus()")
    page.press(" ")
    assert page("return document.querySelector('video').paused") is True
    page("document.getElementById('stage').scrollIntoView({behavior: 'instant', block: 'center'})")
    page.press("0")
    click_on_spot(page)
    page.wait("const v = document.querySelector('video'); return !v.seeking && !v.paused")
    clock = page.text("#detail strong").split("  ")[0]
    assert (
        abs(60 * int(clock[:2]) + float(clock[3:]) - 2 - page("return document.querySelector('video').currentTime")) < 8
    )
    page.press("]")
    assert page("return document.querySelector('video').hidden") is True
    assert page.complaints() == []


def click_on_spot(page: Page) -> None:
    """Click the picture where its first label is drawn, with a real pointer."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    canvas = page.driver.find_element(By.ID, "canvas")
    spot = page(
        "const c = document.getElementById('canvas'), pen = c.getContext('2d'), s = devicePixelRatio;"
        "const top = 60, {data, width} = pen.getImageData(150 * s, top * s, c.width - 150 * s, c.height - top * s);"
        "for (let i = 0; i < data.length; i += 4) if (data[i + 1] - data[i] > 90)"
        " return [(i / 4 % width) / s + 150, Math.floor(i / 4 / width) / s + top];"
    )
    size = canvas.size
    x, y = spot[0] + 2 - size["width"] / 2, spot[1] + 1 - size["height"] / 2
    ActionChains(page.driver).move_to_element_with_offset(canvas, round(x), round(y)).click().perform()
    page.settle()


def test_a_missing_video_is_said(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, {OWN: PREDICTIONS[sorted(PREDICTIONS)[0]]}, V2, videos={OWN: ["a.mkv", "b.mp4"]})
    page.open(path)
    assert "cannot play" in page.wait("return document.querySelector('.side .note').textContent")
    page.complaints()  # the browser's own, on the missing file


def test_an_own_match_has_spots_to_step_through(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "own.html"
    rows = PREDICTIONS[sorted(PREDICTIONS)[0]]
    write_report(path, {OWN: rows}, V2, title="my & <match>", metrics={"postprocess": {"method": "nms", "window": 2}})
    page.open(path, width=390)
    assert page.text("h1") == "my & <match>"
    shown = listed(page)
    assert len(shown) == np.count_nonzero(rows.confidence >= METRIC_THRESHOLDS[40])
    page.press("n", "n")
    assert page.text("#detail strong") == "  ".join(shown[1][:2])
    assert page("return [...document.querySelectorAll('main section')].filter(s => s.hidden).map(s => s.id)") == [
        "systems",
        "classes",
        "curves",
        "errors",
        "labels",
    ]
    assert page.complaints() == []


@pytest.mark.slow
@pytest.mark.parametrize("case", ["ball", "nothing predicted", "nothing at all"])
def test_other_contents(page: Page, tmp_path: Path, case: str) -> None:
    labels, predictions = matches(BALL, 1) if case == "ball" else (LABELS, {})
    if case == "nothing at all":
        labels, predictions = {}, {OWN: HalfPredictions.empty()}
    write_report(tmp_path / "report.html", predictions, BALL if case == "ball" else V2, labels)
    page.open(tmp_path / "report.html")
    assert page.complaints() == []
    if labels:
        page("document.getElementById('errors').scrollIntoView({behavior: 'instant'})")
        page.wait("return document.querySelectorAll('.chart .main-svg').length >= 2")
        assert counts(page)["missed"] > 0
    assert page.complaints() == []


@pytest.mark.slow
def test_charts_follow_the_theme(page: Page, report: Path) -> None:
    page.open(report)
    page("document.getElementById('curves').scrollIntoView({behavior: 'instant'})")
    page.wait("return document.querySelectorAll('.chart .main-svg').length >= 2")
    ink = "return document.querySelector('.chart .xtick text').style.fill"
    light = page(ink)
    page.click("#theme")
    page.click("#theme")
    assert page.text("#theme") == "Dark"
    end = time.monotonic() + 5
    while page(ink) == light and time.monotonic() < end:
        page.settle()
    assert page(ink) != light


def test_tables_are_sorted_by_their_heads(page: Page, report: Path) -> None:
    page.open(report)
    column: Any = "return [...document.querySelectorAll('#classes tbody tr')].map(r => +r.cells[1].dataset.sort)"
    page.click("#classes th:nth-child(2) button")
    assert page(column) == sorted(page(column), reverse=True)
    page.click("#classes th:nth-child(2) button")
    assert page(column) == sorted(page(column))


@pytest.mark.slow
def test_a_task_of_tolerances_in_frames_is_headed_by_its_own_score(page: Page, report: Path, tmp_path: Path) -> None:
    task = Task("rally", ("hit", "bounce", "net"), "L.json", 50, "map_within_2", tolerances=(0, 2), halves=(1,))
    labels, predictions = matches(task, 2)
    write_report(tmp_path / "frames.html", predictions, task, labels)
    page.open(tmp_path / "frames.html")
    scores = page.text("#scores")
    assert "mAP within ±2 frames" in scores
    assert "within ±0 frames" in scores
    assert page("return document.querySelectorAll('#classes th[scope=col]').length") == 11
    assert "NaN" not in scores + page.text("#classes")
    assert page.complaints() == []
    page.open(report)
    assert "within ±0" not in page.text("#scores")
    assert "within frames" not in page.text("#classes")
    assert "NaN" not in page.text("#scores")


def test_a_page_can_open_with_its_video_playing(page: Page, tmp_path: Path) -> None:
    """Muted, at the timeline, where all that is found passes by."""
    write_video(tmp_path / "1.mp4", seconds=60)
    half = next(iter(LABELS))
    videos = {half: [video_link(tmp_path / "1.mp4", tmp_path / "report.html")]}
    write_report(tmp_path / "report.html", {half: PREDICTIONS[half]}, V2, None, videos=videos, playing=True)
    page.open(tmp_path / "report.html")
    page.wait("const v = document.querySelector('video'); return !v.paused && v.muted && v.currentTime > 0")
    assert abs(page("return document.getElementById('timeline').getBoundingClientRect().top")) < 200
    assert page.complaints() == []
