"""``predict.py`` as a user calls it, and what runs leave."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import orjson

from tests.conftest import Called, call


def predict(cwd: Path, *words: str) -> Called:
    """Run ``predict.py`` on one device; it must succeed."""
    called = call("predict.py", *words, "trainer=cpu", cwd=cwd)
    assert called.status == 0, called.err
    return called


def read(path: Path) -> dict[str, Any]:
    """Return a JSON file's content."""
    return orjson.loads(path.read_bytes())


def history(run: Path) -> list[dict[str, str]]:
    """Return the rows of a run's ``metrics.csv``, one an epoch."""
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
