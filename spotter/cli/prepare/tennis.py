"""Make a tree of tennis points: the track of the ball as features, labels and splits of the task tennis.

SRC is tennis_rg2025_points.jsonl.xz, or the folder that holds it: the points of
github.com/zcochran27/tennis_hit_bounce_detection, a line for each: point, frame, x, y and visible, lists of equal
length with the ball in pixels of 1920 by 1080 at about 50 frames per second, and the frames of each hit and bounce.
That data has no licence, so spotter does not ship it.

Every point becomes a game with one half. The last 30 % of the points, in time, are the test split, the last fifth of
those before them the validation split.

  spotter prepare tennis DOWNLOADS /data/tennis
  spotter train data=tennis data.root=/data/tennis
"""

from __future__ import annotations

import argparse
import logging
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from spotter.cli.prepare.records import are_whole, check_splits, is_whole, read_records
from spotter.data.tracking import Track, write_track
from spotter.io.formats import format_of
from spotter.io.splits import write_splits
from spotter.tasks import Task
from spotter.types import Half, Spots

POINTS = "tennis_rg2025_points.jsonl.xz"
ENTITIES = {"ball": 1}
FPS = Fraction(50)
IMAGE = np.array([1920.0, 1080.0])  # pixels
TEST, VALID = 0.3, 0.2  # of all points, and of those that are not test
LONGEST = 3600 * 50  # frames of a point
Point = dict[str, Any]

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("src", metavar="SRC", type=Path, help=f"{POINTS}, or the folder that holds it")
    parser.add_argument("root", metavar="ROOT", type=Path, help="where the tree goes")


def run(arguments: argparse.Namespace) -> int:
    """Write the tree and say what it holds."""
    task = Task.load("tennis")
    points = read_points(arguments.src / POINTS if arguments.src.is_dir() else arguments.src)
    splits = split_points(points)
    check_splits(arguments.root, splits, "points")
    labels = {}
    for point in points:
        half = Half(game_of(point), 1)
        write_track(arguments.root, half, track_of(point), source="zcochran27/tennis_hit_bounce_detection")
        labels[half] = _spots(point, task)
    format_of(task).write(arguments.root, labels, task)
    write_splits(arguments.root, splits)
    counts = ", ".join(f"{len(games)} {name}" for name, games in splits.items())
    log.info("%s: %d points (%s), %d spots", arguments.root, len(points), counts, sum(map(len, labels.values())))
    return 0


def read_points(path: Path) -> list[Point]:
    """Read the points, in the order of time."""
    return sorted(read_records(path, "points", find_wrong), key=lambda point: point["frame"][0])


def find_wrong(point: Point) -> str | None:
    """Return a key of a point whose value cannot be, if there is one."""
    frame = point.get("frame")
    if not is_whole(point.get("point")):
        return "point"
    if not isinstance(frame, list) or not frame or not are_whole(frame) or frame[-1] - frame[0] >= LONGEST:
        return "frame"
    if any(later <= earlier for earlier, later in pairwise(frame)):
        return "frame"
    for key, kinds in (("x", int | float | None), ("y", int | float | None), ("visible", int)):
        values = point.get(key)
        if not isinstance(values, list) or len(values) != len(frame) or not all(isinstance(v, kinds) for v in values):
            return key
    return next((key for key in ("hit", "bounce") if not are_whole(point.get(key))), None)


def track_of(point: Point) -> Track:
    """Return the track of the ball; frames that the file leaves out are there, without a ball."""
    frame = np.array(point["frame"]) - point["frame"][0]
    seen = np.array(point["visible"], bool)
    pixel = np.array([point["x"], point["y"]], np.float64).T  # None becomes NaN
    position = np.full((frame[-1] + 1, 1, 2), np.nan)
    position[frame[seen], 0] = 2 * pixel[seen] / IMAGE - 1
    return Track(position, ENTITIES, FPS)


def game_of(point: Point) -> str:
    """Return the name of the folder of a point."""
    return f"tennis/roland-garros-2025/point-{point['point']:03d}"


def split_points(points: list[Point]) -> dict[str, list[str]]:
    """Return the points of each split, later ones for later use."""
    games = [game_of(point) for point in points]
    test = len(games) - round(TEST * len(games))
    valid = test - round(VALID * test)
    return {"train": games[:valid], "valid": games[valid:test], "test": games[test:]}


def _spots(point: Point, task: Task) -> Spots:
    columns = [np.array(point[name], np.float64) for name in task.classes]
    frame = np.concatenate(columns) - point["frame"][0]
    label = np.repeat(np.arange(len(columns)), [len(column) for column in columns])
    order = np.argsort(frame, kind="stable")
    return Spots(label[order], frame[order] / float(FPS), np.ones(len(order), bool))
