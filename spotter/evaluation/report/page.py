"""Put a report together: one HTML file with its style, scripts and data inside."""

from __future__ import annotations

import base64
import gzip
import html
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson

from spotter.tasks import ASSETS

SCRIPTS = (
    "core.js",
    "scores.js",
    "charts.js",
    "errors.js",
    "draw.js",
    "timeline.js",
    "board.js",
    "files.js",
    "main.js",
)


def render_page(title: str, summary: Mapping[str, Any], columns: bytes) -> bytes:
    """Return the page as UTF-8; nothing in it is fetched from anywhere."""
    scripts = "\n".join(asset(name) for name in SCRIPTS)
    document = orjson.dumps(summary, option=orjson.OPT_NON_STR_KEYS).decode()
    parts = {
        "title": html.escape(title),
        "style": asset("report.css"),
        "summary": document.replace("<", "\\u003c"),
        "columns": _coded(columns),
        "plotly": _plotly() if summary["judged"] else "",
        "script": f'"use strict";\n(() => {{\n{scripts}\n}})();',
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], asset("page.html")).encode()


@cache
def asset(name: str) -> str:
    """Return the text of a file of the page."""
    return (ASSETS / "report" / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """Return the plotting library as it is inlined; the browser inflates it after the first screen is there."""
    from plotly.offline import get_plotlyjs  # here, for only reports need it

    return _coded(get_plotlyjs().encode())


def _coded(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()
