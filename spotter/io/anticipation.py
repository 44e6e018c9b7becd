"""Result files of ball action anticipation: what is expected after each clip, as one JSON for all clips of a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spotter.bounded import parse_json, read_file
from spotter.errors import UserError, shorten
from spotter.io.entries import Entries
from spotter.io.files import atomic_write, json_bytes
from spotter.io.game_files import check_game
from spotter.io.soccernet import MILLISECONDS, warn_of_unknown
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions

FILE = "results_anticipation.json"


def read_anticipation(path: str | Path, task: Task) -> dict[Half, HalfPredictions]:
    """Return what a result file, or that of a folder, expects in each clip; times count from the clip's start.

    Raises UserError for a missing or malformed file.
    """
    path = Path(path, FILE) if Path(path).is_dir() else Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file: give {FILE}")
    content = parse_json(read_file(path), str(path))
    if not isinstance(content, dict) or not isinstance(content.get("videos"), list):
        raise UserError(f"{path}: expected an object with a list 'videos': is it the right file?")
    clips, unknown = {}, Counter[str]()
    for number, video in enumerate(content["videos"], start=1):
        try:
            name, listed = check_game(video["path"], path), video["annotations"]["anticipation"]
        except (KeyError, TypeError) as error:
            raise UserError(f"{path}: entry {number} of 'videos' lacks a path or annotations.anticipation") from error
        if not isinstance(listed, list):
            raise UserError(f"{path}: {name}: expected a list 'anticipation', found {shorten(listed)}")
        entries = Entries(f"{path}: {name}", listed)
        time, label = entries.column("position", MILLISECONDS, int) / 1000, entries.classes(task, unknown)
        found = HalfPredictions(label, time, entries.column("confidence", "a number"))
        clips[Half(name, 1)] = found.take(label >= 0)
    warn_of_unknown(unknown, f"{path}: predictions", task)
    return clips


def write_anticipation(path: str | Path, clips: Mapping[Half, HalfPredictions], task: Task) -> None:
    """Write the result file of a split; a clip's spots stand in order of time, ``confidence_vect`` has a class each."""
    videos = [
        {"path": half.game, "annotations": {"observation": [], "anticipation": _entries(spots, task)}}
        for half, spots in clips.items()
    ]
    atomic_write(path, json_bytes({"videos": videos}))


def _entries(spots: HalfPredictions, task: Task) -> list[dict[str, Any]]:
    rows = spots.take(np.argsort(spots.time, kind="stable"))
    columns = (rows.label.tolist(), np.rint(1000 * rows.time).astype(np.int64).tolist(), rows.confidence.tolist())
    return [
        {
            "label": task.classes[label],
            "position": position,
            "confidence": confidence,
            "confidence_vect": [confidence if index == label else 0.0 for index in range(len(task.classes))],
        }
        for label, position, confidence in zip(*columns, strict=True)
    ]
