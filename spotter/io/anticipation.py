"""Clips of ball action anticipation: their names, their labels, and the result file with what is expected after each.

Times count from a clip's start: ``OBSERVED`` seconds are seen, and what happens in the ``WINDOW`` after is expected.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from spotter.bounded import parse_json, read_file
from spotter.errors import UserError, shorten
from spotter.io.entries import Entries
from spotter.io.files import atomic_write, json_bytes
from spotter.io.game_files import ROOT, check_game
from spotter.io.soccernet import MILLISECONDS, SoccerNet, warn_of_unknown
from spotter.io.splits import SPLITS, load_splits
from spotter.io.trees import find_games, read_entries
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

FILE = "results_anticipation.json"
OBSERVED = 30.0  # seconds of a clip that are seen
WINDOW = 5.0  # seconds that are anticipated
SECONDS = OBSERVED + WINDOW
NAME = re.compile(r"(.+)/clip-(\d+)-(\d+)")
REMEDY = "get the labels of this clip, or choose other clips"


class ClipOf(NamedTuple):
    """Name a clip by the half that it is cut from, and the whole second at which it begins there."""

    half: Half
    start: int

    @property
    def name(self) -> Half:
        """Return the clip as the name of a sequence."""
        return Half(f"{self.half.game}/clip-{self.half.number}-{self.start}", 1)

    @classmethod
    def of(cls, clip: Half) -> ClipOf:
        """Return what a sequence is cut from; one of another name is a clip of its own, from its start on."""
        match = NAME.fullmatch(clip.game)
        return cls(clip, 0) if match is None else cls(Half(match[1], int(match[2])), int(match[3]))

    def cut(self, spots: Spots) -> Spots:
        """Return the spots of the half that lie in the clip, with times from its start."""
        inside = spots.take((spots.time >= self.start) & (spots.time < self.start + SECONDS))
        return Spots(inside.label, inside.time - self.start, inside.visible, inside.team)


class ClipLabels(SoccerNet):
    """One ``<split>/<Task.label_file>`` that lists all clips of a split; or whole matches, as ``SoccerNet`` has them.

    The clips are games, ``<split>/clip_1`` and so on; of a split's own folder or file ``clip_1``.
    """

    def games(self, root: str | Path, task: Task) -> list[str]:
        """Return the clips that are listed below ``root``, by number, and the matches that have labels."""
        clips, lists = _find_clips(root, task)
        return [*sorted(clips, key=_by_number), *(game for game in super().games(root, task) if game not in lists)]

    def missing(self, root: str | Path, games: Iterable[str], task: Task) -> dict[str, Path]:
        """Return the clips that no list names, and the matches whose folder has no label file."""
        clips, _ = _find_clips(root, task)
        return super().missing(root, [game for game in games if game not in clips], task)

    def read(self, root: str | Path, games: Iterable[str], task: Task) -> dict[Half, Spots]:
        """Return the spots of each clip, observed or not, or those of a match as ``SoccerNet`` does."""
        games = list(games)
        clips, _ = _find_clips(root, task)
        listed, matches = [game for game in games if game in clips], [game for game in games if game not in clips]
        found, unknown = super().read(root, matches, task) if matches else {}, Counter[str]()
        for game in listed:
            entries = clips[game]
            label = entries.classes(task, unknown)
            time = entries.column("position", MILLISECONDS, int) / 1000
            found[Half(game, 1)] = Spots(label, time, entries.visible(), entries.teams()).take(label >= 0)
        warn_of_unknown(unknown, f"{root}: labels", task)
        return found


def load_clip_splits(
    task: Task, root: str | Path | None, overrides: Mapping[str, str | Sequence[str] | None] | None = None
) -> dict[str, list[str]]:
    """Return the clips of every split, ``<root>/<split>/clip_1`` and so on; without any, matches as ``load_splits``."""
    folders = {split: Path(root or ".", split).glob("clip_*") for split in SPLITS}
    clips = {split: [f"{split}/{path.name}" for path in paths if path.is_dir()] for split, paths in folders.items()}
    listed = {split: sorted(names, key=_by_number) for split, names in clips.items()} if any(clips.values()) else None
    return load_splits(task, root, overrides, listed)


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
    clips: dict[Half, HalfPredictions] = {}
    unknown = Counter[str]()
    for number, video in enumerate(content["videos"], start=1):
        name, entries = _video(video, number, str(path), ("anticipation",))
        if Half(name, 1) in clips:
            raise UserError(f"{path}: entry {number} of 'videos' is {shorten(name)} again: give each clip one entry")
        time, label = entries.column("position", MILLISECONDS, int) / 1000, entries.classes(task, unknown)
        found = HalfPredictions(label, time, entries.column("confidence", "a number"))
        clips[Half(name, 1)] = found.take(label >= 0)
    warn_of_unknown(unknown, f"{path}: predictions", task)
    return clips


def write_anticipation(
    path: str | Path, clips: Mapping[Half, HalfPredictions], task: Task, split: str | None = None
) -> None:
    """Write the result file of a split; a clip's spots stand in order of time.

    ``confidence_vect`` has the background first, then a class each. The name of the split is no part of a clip's.
    """
    videos = [
        {
            "path": half.game.removeprefix(f"{split}/"),
            "annotations": {"observation": [], "anticipation": _entries(spots, task)},
        }
        for half, spots in clips.items()
    ]
    atomic_write(path, json_bytes({"videos": videos}))


def _find_clips(root: str | Path, task: Task) -> tuple[dict[str, Entries], set[str]]:
    """Return the labels of all clips that files below ``root`` list, by name, and the folders of these files."""
    clips: dict[str, Entries] = {}
    lists = set[str]()
    for folder in find_games(root, task.label_file):
        ((_, videos),) = read_entries(root, [folder], task.label_file, ("videos", "annotations"), REMEDY)
        if videos.rows and all(isinstance(row, dict) and "path" in row for row in videos.rows):
            lists.add(folder)
            before = "" if folder == ROOT or Path(root).suffix == ".json" else f"{folder}/"
            for number, video in enumerate(videos.rows, start=1):
                name, entries = _video(video, number, videos.where, ("observation", "anticipation"))
                clips[before + PurePosixPath(name).parts[0]] = entries
    return clips, lists


def _video(video: Any, number: int, where: str, parts: tuple[str, ...]) -> tuple[str, Entries]:
    """Return the name of an entry of ``videos``, and what some parts of its annotations list."""
    try:
        name, listed = check_game(video["path"], where), [video["annotations"][part] for part in parts]
    except (KeyError, TypeError) as error:
        raise UserError(f"{where}: entry {number} of 'videos' lacks a path or annotations.{parts[-1]}") from error
    for part, rows in zip(parts, listed, strict=True):
        if not isinstance(rows, list):
            raise UserError(f"{where}: {name}: expected a list {part!r}, found {shorten(rows)}")
    return name, Entries(f"{where}: {name}", [row for rows in listed for row in rows])


def _by_number(clip: str) -> tuple[str, int, str]:
    folder, _, name = clip.rpartition("/")
    return folder, len(name), name


def _entries(spots: HalfPredictions, task: Task) -> list[dict[str, Any]]:
    rows = spots.take(np.argsort(spots.time, kind="stable"))
    columns = (rows.label.tolist(), np.rint(1000 * rows.time).astype(np.int64).tolist(), rows.confidence.tolist())
    return [
        {
            "label": task.classes[label],
            "position": position,
            "confidence": confidence,
            "confidence_vect": [0.0, *(confidence if index == label else 0.0 for index in range(len(task.classes)))],
        }
        for label, position, confidence in zip(*columns, strict=True)
    ]
