"""How published systems score on the split that a report is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import yaml

from spotter.tasks import ASSETS, Task


def find_official_split(task: Task, games: Iterable[str]) -> str | None:
    """Return the name of the official split that consists of just these games, None if there is none."""
    path = ASSETS / "splits" / f"{task.name}.json"
    splits = orjson.loads(path.read_bytes()) if path.is_file() else {}
    wanted = set(games)
    return next((name for name, members in splits.items() if wanted == set(members)), None)


def published_scores(task: Task, split: str | None) -> list[dict[str, Any]]:
    """Return published scores on an official split, in percent, each with its system, input and source."""
    table = yaml.safe_load((ASSETS / "report" / "published.yaml").read_text(encoding="utf-8"))
    rows: list[dict[str, Any]] = table.get(task.name, {}).get(split, [])
    return rows
