"""Labels and predictions in other formats, as evaluation, reports and training take them."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from spotter.errors import UserError
from spotter.io.entries import Entries
from spotter.io.exchange.collection import Collection, Video, below, declared_fps, half_of_path
from spotter.io.exchange.files import holds_osl_results, is_exchange, read_collection, write_collection
from spotter.io.game_files import ROOT, game_file
from spotter.io.predictions import find_predictions, read_predictions
from spotter.io.soccernet import MILLISECONDS, halves_of, warn_of_other_halves, warn_of_unknown
from spotter.io.splits import SPLITS
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Period, Spots

IMAGES = ("frames_npy", "frame_npy")  # types of inputs that are images, though they are called as features
log = logging.getLogger(__name__)
Columns = TypeVar("Columns", Spots, HalfPredictions)


class Exchange:
    """Read labels from a file or folder that ``read_collection`` knows; write OSL JSON.

    path : read that in place of the root, which then holds the input alone
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = path
        self._last: tuple[str, Task, Collection] | None = None  # a run asks for splits, games and spots one by one

    def splits(self, root: str | Path, task: Task) -> dict[str, list[str]]:
        """Return the games of each split that the file names, in its order."""
        games: dict[str, list[str]] = {}
        for video in self._collection(root, task).videos:
            listed = games.setdefault(str(video.split), [])
            listed += [video.half.game] if video.half.game not in listed else []
        return {split: listed for split, listed in games.items() if split in SPLITS}

    def games(self, root: str | Path, task: Task) -> list[str]:
        """Return the games that the file names."""
        return games_of(self._collection(root, task))

    def missing(self, root: str | Path, games: Iterable[str], task: Task) -> dict[str, Path]:
        """Return those that it does not name."""
        known = set(self.games(root, task))
        return {game: Path(self.path or root) for game in games if game not in known}

    def read(self, root: str | Path, games: Iterable[str], task: Task) -> dict[Half, Spots]:
        """Return the spots of the halves that official files are read for, and of those that share a file.

        Spots of other halves are counted in a warning.
        """
        games = list(games)
        halves, unknown, elsewhere = _empty(games, task, Spots.empty()), Counter[str](), Counter[int]()
        source = self.path or root
        for video, entries in _wanted(self._collection(root, task), set(games), task, str(source)):
            label = entries.classes(task, unknown)
            time = entries.column("position", MILLISECONDS, int) / 1000
            visible = entries.visible()
            spots = Spots(label, time, visible, entries.teams()).take(label >= 0)
            if video.half in halves or video.period is not None:
                halves[video.half] = spots
            elif len(spots):
                elsewhere[video.half.number] += len(spots)
        warn_of_unknown(unknown, f"{source}: labels", task)
        warn_of_other_halves(elsewhere, f"{source}: labels", task)
        return halves

    def parts(self, root: str | Path, task: Task) -> dict[Half, tuple[Half, Period]]:
        """Return those halves that lie in a file with others, each with that file, as a half, and where it lies."""
        return {
            video.half: (_file(video, str(self.path or root)), video.period)
            for video in self._collection(root, task).videos
            if video.period is not None
        }

    def rates(self, root: str | Path, task: Task, suffixes: tuple[str, ...]) -> dict[Half, float]:
        """Return the frames per second that the file declares of inputs of some kind, of those halves that it does."""
        found: dict[Half, float] = {}
        for video in self._collection(root, task).videos:
            for each in video.inputs:
                if str(each.get("path")).lower().endswith(suffixes) and declared_fps(each):
                    found.setdefault(video.half, declared_fps(each))
        return found

    def write(self, root: str | Path, labels: Mapping[Half, Spots], task: Task) -> None:
        """Write OSL JSON of version 2."""
        videos = []
        for half, spots in labels.items():
            milliseconds = np.rint(1000 * spots.time).astype(np.int64).tolist()
            teams = [""] * len(spots) if spots.team is None else spots.team.tolist()
            columns = zip(spots.label.tolist(), milliseconds, teams, spots.visible.tolist(), strict=True)
            rows = [
                {
                    "label": task.classes[label],
                    "position": position,
                    **({"team": team} if team else {}),
                    "visibility": "visible" if visible else "not shown",
                }
                for label, position, team, visible in columns
            ]
            videos.append(Video(half, rows))
        self._last = None
        write_collection(root, Collection(videos, list(task.classes)), "osl", task.label_file)

    def _collection(self, root: str | Path, task: Task) -> Collection:
        source = str(self.path or root)
        if self._last is None or self._last[:2] != (source, task):
            self._last = (source, task, _read(source, task))
        return self._last[2]


def _read(source: str | Path, task: Task) -> Collection:
    """Return what a file holds, and say once what of it is left out."""
    collection = read_collection(source, task)
    for what, count in collection.lost.items():
        if count:
            log.warning("%s: left out %d %s", source, count, what)
    return collection


def _file(video: Video, where: str) -> Half:
    paths = [each["path"] for each in video.inputs if isinstance(each.get("path"), str)]
    return half_of_path(paths[0], where) if paths else Half(video.half.game, 1)


def listed_files(labels: str | Path, root: str | Path, suffixes: tuple[str, ...]) -> dict[Half, list[Path]]:
    """Return the files that a file of labels names as the input of each half, of one kind by how their names end.

    Halves that lie in one file share its inputs, under that file as a half, see ``Exchange.parts``.

    root : what its paths are relative to
    Raises UserError for a path that leads out of ``root``.
    """
    found: dict[Half, dict[Path, None]] = {}
    for video in read_collection(labels).videos:
        half = video.half if video.period is None else _file(video, str(labels))
        for path in (below(str(each.get("path"))) for each in video.inputs if each.get("type") not in IMAGES):
            if path.lower().endswith(suffixes):
                folder, _, name = path.rpartition("/")
                found.setdefault(half, {})[game_file(root, folder or ROOT, name)] = None
    return {half: list(paths) for half, paths in found.items()}


def root_of_labels(labels: str | Path, root: str | None) -> str:
    """Return what paths in a file of labels are relative to: its folder, unless another ``root`` was named.

    One that the environment gives for all data is not named.
    """
    if root and root != os.environ.get("SOCCERNET_ROOT"):
        return root
    path = Path(labels)
    return str(path if path.is_dir() else path.parent)


def find_any_predictions(root: str | Path) -> list[str]:
    """Return the sorted games that have predictions, in the official format or another."""
    return games_of(read_collection(root)) if _is_other(root) else find_predictions(root)


def read_any_predictions(root: str | Path, games: Iterable[str], task: Task) -> dict[Half, HalfPredictions]:
    """Return predictions in the official format or another, see ``read_predictions``; labels have confidence 1."""
    return _read_predictions(root, games, task) if _is_other(root) else read_predictions(root, games, task)


def _is_other(predictions: str | Path) -> bool:
    return is_exchange(predictions) or holds_osl_results(predictions)


def games_of(collection: Collection) -> list[str]:
    """Return the sorted names of all games."""
    return sorted({video.half.game for video in collection.videos})


def _read_predictions(root: str | Path, games: Iterable[str], task: Task) -> dict[Half, HalfPredictions]:
    """Return predictions as ``read_predictions`` does of official files."""
    games = list(games)
    halves, unknown = _empty(games, task, HalfPredictions.empty()), Counter[str]()
    wanted = set(games)
    collection = _read(root, task)
    lacking = sorted(wanted - set(games_of(collection)))
    if lacking:
        raise UserError(f"{root}: holds no predictions of {lacking[0]}: predict this game, or choose other games")
    in_periods = {video.half.game for video in collection.videos if video.period is not None}
    whole: dict[str, list[HalfPredictions]] = {}
    for video, entries in _wanted(collection, wanted, task, str(root)):
        label = entries.classes(task, unknown)
        time = entries.column("position", MILLISECONDS, int) / 1000
        counted = label >= 0
        confidence = np.ones(len(label))
        if any("confidence" in row for row in entries.rows):
            confidence[counted] = entries.column("confidence", "a number", among=counted)
        rows = HalfPredictions(label, time, confidence, entries.team_indices(task, counted), video.period)
        if task.strict and video.half.game not in in_periods:
            whole.setdefault(video.half.game, []).append(rows.take(counted))
        else:
            halves[video.half] = rows.take(counted)
    halves |= {Half(game, task.halves[0]): HalfPredictions.joined(parts) for game, parts in whole.items()}
    warn_of_unknown(unknown, f"{root}: predictions", task)
    return halves


def _empty(games: Iterable[str], task: Task, nothing: Columns) -> dict[Half, Columns]:
    return {Half(game, number): nothing for game in games for number in halves_of(task)}


def _wanted(collection: Collection, games: set[str], task: Task, where: str) -> list[tuple[Video, Entries]]:
    """Return the videos of some games with their events; raises UserError where two of them are the same half.

    An event names its class by its label where it lacks the key by which the task does.
    """
    found: dict[Half, Video] = {}
    for video in collection.videos:
        other = found.setdefault(video.half, video)
        if video.half.game in games and other.rows != video.rows:
            game, number = video.half
            both = f"{_source(other)} and {_source(video)}"
            raise UserError(f"{where}: half {number} of {game} is there twice, as {both}: take one of them out")
    return [
        (video, Entries(f"{where}: {half.game}", [{task.class_key: row["label"], **row} for row in video.rows]))
        for half, video in found.items()
        if half.game in games
    ]


def _source(video: Video) -> str:
    paths = [str(each["path"]) for each in video.inputs if "path" in each]
    return str((paths or [video.more.get("id") or video.half.game])[0])
