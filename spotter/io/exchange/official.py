"""Official trees of labels or predictions, and single files of them, in the form that other formats share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from spotter.bounded import parse_json
from spotter.errors import UserError
from spotter.io.exchange.collection import Collection, Row, Video, checked_rows, parse_clock, whole, without
from spotter.io.files import atomic_write, json_bytes
from spotter.io.game_files import game_file_to_write
from spotter.io.periods import KEY, read_intervals, write_intervals
from spotter.io.predictions import PREDICTION_FILE
from spotter.io.soccernet import game_time
from spotter.io.splits import own_splits, write_splits
from spotter.io.trees import find_games, read_game_files
from spotter.tasks import Task, shipped_tasks
from spotter.types import Half

VIDEO = re.compile(r"(?:(?P<half>[1-9])_)?\d+p\.(?:mkv|mp4)")
LISTS = {"annotations": False, "predictions": True}  # and whether they are predictions


def read_tree(root: Path, task: Task | None = None) -> Collection:
    """Return what a folder or zip holds: predictions, or the labels of a task, by default the only ones there.

    Raises UserError for a tree without either, and with labels of several tasks.
    """
    found = {name: find_games(root, name) for name in _file_names(task)}
    named = [name for name, games in found.items() if games]
    if len(named) != 1:
        held = " and ".join(named) or f"none of {', '.join(found)}"
        raise UserError(f"{root}: holds {held}: give a folder of one kind, or name the labels by --task")
    (name,) = named
    split_of = {game: split for split, games in (own_splits(root) or {}).items() for game in games}
    videos = []
    for game, content in read_game_files(root, found[name], name):
        where = f"{root}/{game}/{name}"
        halves = _videos(parse_json(content, where), game, where, root / game if root.is_dir() else None)
        videos += [replace(half, split=split_of.get(game)) for half in halves]
    return Collection(videos, list(task.classes) if task else _classes(name), name == PREDICTION_FILE)


def read_single(document: Row, path: Path) -> Collection:
    """Return what a single official file holds."""
    name = str(document.get("UrlLocal") or "").strip("/") or path.absolute().parent.name
    (key,) = [key for key in LISTS if key in document][:1]
    return Collection(_videos(document, name, str(path), path.absolute().parent), [], LISTS[key])


def write_tree(root: Path, collection: Collection, label_file: str) -> None:
    """Write a file for each game: ``label_file``, or ``results_spotting.json`` of predictions."""
    games: dict[str, list[Video]] = {}
    for video in collection.videos:
        games.setdefault(video.half.game, []).append(video)
    key, name = ("predictions", PREDICTION_FILE) if collection.predictions else ("annotations", label_file)
    for game, videos in games.items():
        rows = [_entry(row, video.half, collection.predictions) for video in _by_half(videos) for row in video.rows]
        about = {"UrlLocal": game if collection.predictions else f"{game}/", **_about(videos)}
        periods = write_intervals({video.half.number: video.period for video in videos if video.period})
        content = json_bytes({**about, **({KEY: periods} if periods else {}), key: rows})
        atomic_write(game_file_to_write(root, game, name), content)
    splits: dict[str, list[str]] = {}
    for video in collection.videos:
        games_of_split = splits.setdefault(video.split, []) if video.split else []
        games_of_split += [video.half.game] if video.half.game not in games_of_split else []
    if splits:
        write_splits(root, splits)


def _file_names(task: Task | None) -> list[str]:
    if task is not None:
        return [task.label_file]
    return [*dict.fromkeys(Task.load(name).label_file for name in shipped_tasks()), PREDICTION_FILE]


def _classes(file_name: str) -> list[str]:
    """Return the classes that a label file of that name has, where all tasks agree on them."""
    known = {task.classes for task in map(Task.load, shipped_tasks()) if task.label_file == file_name}
    return list(known.pop()) if len(known) == 1 else []


def _videos(document: object, game: str, where: str, folder: Path | None) -> list[Video]:
    lists = [key for key in LISTS if isinstance(document, dict) and isinstance(document.get(key), list)]
    if not isinstance(document, dict) or not lists:
        raise UserError(f"{where}: expected an object with a list annotations or predictions: is it the right file?")
    halves: dict[int, list[Row]] = {}
    for number, row in enumerate(checked_rows(_with_labels(document[lists[0]]), where), start=1):
        try:
            half, event = _row(row, LISTS[lists[0]])
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(f"{where}: entry {number}: {error}: correct the file") from error
        halves.setdefault(half, []).append(event)
    periods = read_intervals(document.get(KEY), where)
    halves |= {half: [] for half in periods if half not in halves}
    halves = halves or {1: []}  # a game without events is one all the same
    more, names = without(document, lists[0], "UrlLocal", KEY), _inputs(folder)
    inputs = {half: [{"type": "video", "path": f"{game}/{name}"}] for half, name in names.items()}
    return [
        Video(Half(game, half), rows, inputs.get(half, []), None, more, periods.get(half))
        for half, rows in sorted(halves.items())
    ]


def _with_labels(rows: list[Any]) -> list[Any]:
    """Return entries with a label each where they name their class by another key, as those of camera changes do."""
    keys = _class_keys()
    found = [next((key for key in keys if key in row), None) if isinstance(row, dict) else None for row in rows]
    return [row if key is None else {"label": row[key], **row} for row, key in zip(rows, found, strict=True)]


@cache
def _class_keys() -> list[str]:
    return sorted({Task.load(name).class_key for name in shipped_tasks()} - {"label"})


def _row(row: Row, prediction: bool) -> tuple[int, Row]:
    half, clock = (None, 0) if prediction and "position" in row else parse_clock(row.get("gameTime"))
    number = int(row["half"]) if "half" in row else half
    if number is None or number < 1:
        raise ValueError("has no half")
    position = whole(row["position"]) if "position" in row else clock
    known = {"label": row["label"], "position": position}
    return number, known | without(row, "label", "position", "gameTime", "half")


def _inputs(folder: Path | None) -> dict[int, str]:
    """Return the name of the video of each half, where they lie beside the labels."""
    if folder is None or not folder.is_dir():
        return {}
    matches = ((VIDEO.fullmatch(path.name), path.name) for path in sorted(folder.iterdir(), reverse=True))
    return {int(match["half"] or 1): name for match, name in matches if match}


def _entry(row: Row, half: Half, prediction: bool) -> Row:
    clock = game_time(half.number, row["position"])
    entry: Row = {"gameTime": clock, "label": row["label"], "position": str(row["position"])}
    if prediction:
        confidence = row.get("confidence", 1.0)
        entry |= {"half": str(half.number), "confidence": confidence if confidence is None else str(confidence)}
        return entry | without(row, *entry, "head", "frame")
    return entry | {"visibility": row.get("visibility", "visible")} | without(row, *entry, "head", "frame")


def _by_half(videos: Iterable[Video]) -> list[Video]:
    return sorted(videos, key=lambda video: video.half)


def _about(videos: list[Video]) -> Row:
    """Return what an official file says beside its entries."""
    known = ("UrlYoutube", "halftime")
    return {key: value for key, value in videos[0].more.items() if key.startswith("game") or key in known}
