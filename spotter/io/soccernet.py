"""Read labels and predictions from a folder or a zip, by every rule of the official evaluator."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from spotter.io.entries import Entries, find_games, read_entries
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

__all__ = ["HALVES", "PREDICTION_FILE", "find_games", "postprocess_of", "read_labels", "read_predictions"]

PREDICTION_FILE = "results_spotting.json"
HALVES = (1, 2)  # the metric's, whatever the task has: entries of any other half are dropped
MILLISECONDS = "a whole number of milliseconds"
CLOCK = "text like '1 - 12:34'"

_log = logging.getLogger(__name__)


def read_labels(root: str | Path, games: Iterable[str], task: Task) -> dict[Half, Spots]:
    """Return the labelled spots of both halves of each game, in file order; a half may be empty.

    Labels outside the task are skipped with one counted warning. Raises UserError for a missing or malformed file.
    """
    halves, unknown = {}, Counter[str]()
    remedy = "get the labels of this game, or choose other games; another task has another label file"
    for game, entries in read_entries(root, games, task.label_file, "annotations", remedy):
        number = entries.column("gameTime", CLOCK, _half)
        time = entries.column("gameTime", CLOCK, _seconds)
        placed = np.array(["position" in row for row in entries.rows], bool)
        time[placed] = entries.column("position", MILLISECONDS, int, placed) / 1000
        label = _labels(entries, task, unknown)
        visible = np.array([row.get("visibility") != "not shown" for row in entries.rows], bool)
        for half in HALVES:
            kept = (number == half) & (label >= 0)
            halves[Half(game, half)] = Spots(label[kept], time[kept], visible[kept])
    _warn(unknown, f"{root}: labels", task)
    return halves


def read_predictions(root: str | Path, games: Iterable[str], task: Task) -> dict[Half, HalfPredictions]:
    """Return the predictions of both halves of each game, in file order; a half may be empty.

    A confidence of null becomes NaN. Labels outside the task are skipped with one counted warning. Raises UserError
    for a missing or malformed file.
    """
    halves, unknown = {}, Counter[str]()
    remedy = f"predict this game, or choose other games; an empty list in its {PREDICTION_FILE} says no predictions"
    for game, entries in read_entries(root, games, PREDICTION_FILE, "predictions", remedy):
        time = entries.column("position", MILLISECONDS, int) / 1000
        number = entries.column("half", "a half's number", int)
        label = _labels(entries, task, unknown)
        counted = (label >= 0) & np.isin(number, HALVES)
        confidence = np.full(len(label), np.nan)
        confidence[counted] = entries.column("confidence", "a number", among=counted)
        for half in HALVES:
            kept = counted & (number == half)
            halves[Half(game, half)] = HalfPredictions(label[kept], time[kept], confidence[kept])
    _warn(unknown, f"{root}: predictions", task)
    return halves


def _half(clock: str) -> int:
    return int(clock[0])


def _seconds(clock: str) -> int:
    return 60 * int(clock[-5:-3]) + int(clock[-2:])


def _labels(entries: Entries, task: Task, unknown: Counter[str]) -> NDArray[np.int64]:
    """Return each entry's class, (N,), -1 where the task has none; count those in ``unknown``."""
    index = {name: position for position, name in enumerate(task.classes)}
    found = entries.column("label", "text", index.get)
    unknown.update(str(entries.rows[row]["label"]) for row in np.flatnonzero(np.isnan(found)))
    return np.nan_to_num(found, nan=-1).astype(np.int64)


def _warn(unknown: Counter[str], what: str, task: Task, shown: int = 8) -> None:
    if unknown:
        named = ", ".join(f"{name!r} ({count})" for name, count in unknown.most_common(shown))
        more = f" and {len(unknown) - shown} more" if len(unknown) > shown else ""
        _log.warning("%s: skipped %d outside the task %s: %s%s", what, unknown.total(), task.name, named, more)


def postprocess_of(root: str | Path) -> dict[str, Any]:
    """Return how predictions were suppressed, where a ``metrics.json`` that belongs to them says so."""
    folder = Path(root).parent if Path(root).suffix == ".zip" else Path(root)
    try:
        metrics = orjson.loads((folder / "metrics.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    found = metrics.get("postprocess") if isinstance(metrics, dict) else None
    return found if isinstance(found, dict) else {}
