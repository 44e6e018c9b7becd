"""Make the screenshots of the report again: python -m tests.screenshots FOLDER [REPORT.html]

Without a report, one on simulated matches is photographed. It needs Chromium and its driver. Files are half as wide as
what the browser drew, in few colours, so that they may be kept with the source.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from spotter.evaluation.report import write_report
from tests.helpers.reports import V2, chromium, matches

SCREENS = {"laptop": (1280, 860), "phone": (390, 844)}
SECTIONS = ("scores", "classes", "curves", "errors", "timeline", "labels")


def main(folder: Path, report: Path | None = None) -> None:
    """Photograph every section of a report on two screens, light and dark."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, chromium() as page:
        if report is None:
            report = Path(temporary, "report.html")
            labels, predictions = matches(V2, 4, spots=100)
            form = {"postprocess": {"method": "soft_nms", "window": 4.0, "threshold": 0.001}}
            write_report(report, predictions, V2, labels, metrics=form, title="transformer-demo")
        for screen, (width, height) in SCREENS.items():
            for theme in ("light", "dark"):
                page.open(report, width=width, height=height, dark=theme == "dark", scale=2)
                shown = page("return [...document.querySelectorAll('main section:not([hidden])')].map(s => s.id)")
                for section in (name for name in SECTIONS if name in shown):
                    page("document.getElementById(arguments[0]).scrollIntoView({behavior: 'instant'})", section)
                    page.wait("return new Promise(done => setTimeout(() => done(true), 1200))")
                    drawn = Image.open(io.BytesIO(page.driver.get_screenshot_as_png())).convert("RGB")
                    drawn.reduce(2).quantize(128).save(folder / f"report-{section}-{screen}-{theme}.png", optimize=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
