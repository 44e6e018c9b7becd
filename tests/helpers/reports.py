"""What tests of reports share: matches with known mistakes, and a headless Chromium to open a report in."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots, metric_frame

V2 = Task.load("soccernet-v2")
WAIT = 30.0  # seconds


def matches(task: Task, games: int, seed: int = 0, spots: int = 60, alarms: int = 200) -> tuple[dict, dict]:
    """Return labels, and predictions that are late, missing, doubled, of a wrong class or in the air."""
    rng, classes = np.random.default_rng(seed), len(task.classes)
    labels: dict[Half, Spots] = {}
    predictions: dict[Half, HalfPredictions] = {}
    share = 1 / np.arange(2, classes + 2)
    for half in (Half(f"league/season/game {game}", number) for game in range(games) for number in task.halves):
        time = np.sort(rng.uniform(5, 2700, spots)).round(3)
        label = rng.choice(classes, spots, p=share / share.sum())
        visible = rng.random(spots) > 0.2
        labels[half] = Spots(label, time, visible)
        kept, twice, wrong = (rng.random(spots) < chance for chance in (0.9, 0.15, 0.08))
        late = np.abs(time + 0.3 + rng.standard_t(2, spots))
        mistaken = np.where(wrong, (label + 1) % classes, label)
        rows = (
            np.concatenate([mistaken[kept], label[twice], rng.integers(0, classes, alarms)]),
            np.concatenate([late[kept], late[twice] + 4, rng.uniform(0, 2700, alarms)]).round(3),
            np.concatenate([rng.beta(5, 2, kept.sum()), 0.6 * rng.random(twice.sum()), rng.beta(0.5, 6, alarms)]),
        )
        cell = rows[0] * 10**6 + metric_frame(rows[1], task.fps)
        single = np.unique(cell, return_index=True)[1]  # one for each frame and class, so that none is overwritten
        predictions[half] = HalfPredictions(*(column[single] for column in rows))
    return labels, predictions


class Page:
    """Drive one page of a browser."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def __call__(self, script: str, *values: Any) -> Any:
        """Run a script in the page and return what it returns."""
        return self.driver.execute_script(script, *values)

    def open(self, path: Path, width: int = 1280, height: int = 900, dark: bool = False, scale: float = 1) -> None:
        """Open a report and wait until it is drawn."""
        phone = width < 600
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone}
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}  # else clicks race with smooth scrolling
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme, still]})
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})
        self.driver.get(path.absolute().as_uri())
        self.wait("return document.documentElement.dataset.ready || document.documentElement.dataset.failed")

    def wait(self, script: str) -> Any:
        """Wait until a script returns something true, and return it."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            found = self(script)
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"never true: {script}")

    def settle(self) -> None:
        """Wait until the page has drawn what was asked for."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
        )

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        for key in keys:
            self(
                "(document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent('keydown', "
                "{key: arguments[0], bubbles: true, cancelable: true}))",
                key,
            )
            self.settle()

    def slide(self, step: int) -> None:
        """Move the threshold to a step of the metric."""
        self(
            "const s = document.getElementById('threshold'); s.value = arguments[0]; "
            "s.dispatchEvent(new Event('input', {bubbles: true}))",
            step,
        )
        self.settle()

    def click(self, selector: str) -> None:
        """Click what a selector finds first."""
        self("document.querySelector(arguments[0]).click()", selector)
        self.settle()

    def text(self, selector: str) -> str:
        """Return the text of what a selector finds first."""
        return str(self("return document.querySelector(arguments[0]).textContent", selector))

    def complaints(self) -> list[str]:
        """Return what the console says, and what was fetched beside the page itself."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextmanager
def chromium() -> Iterator[Page]:
    """Start a headless Chromium; the test is skipped where none is installed."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    service = shutil.which("chromedriver")
    if not browser or not service:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{flag}")
    options.add_argument("--autoplay-policy=no-user-gesture-required")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(service))
    try:
        yield Page(driver)
    finally:
        driver.quit()


def write_video(path: Path, seconds: int, fps: int = 5) -> None:
    """Write a small H.264 video whose grey grows with time."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "g": str(fps)})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(seconds * fps):
            picture = np.full((48, 64, 3), index * 255 // (seconds * fps), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
