"""Make a tree of American football plays: tracking features, labels and splits of the task ngs.

SRC holds the plays of github.com/asonty/ngs_highlights in two files. ngs_plays.jsonl.xz has a line for each play:
game, play, season, direction, frames, and events as [[frame, name], ...]. ngs_tracking_delta_int16.npy.xz has the
positions at 10 frames per second, one play after the other, each frame as the difference to the last: (ball, 11 home,
11 away; x and y in 1/100 yard, orientation in 1/10 degree; frames), -30000 where missing. That data has no licence,
so spotter does not ship it.

Every play becomes a game with one half, and runs towards the same end of the field. The test split has the plays of
every fifth game from the third on, the validation split those of every fifth game of the rest.

  spotter prepare ngs DOWNLOADS /data/ngs
  spotter train data=ngs data.root=/data/ngs
"""

from __future__ import annotations

import argparse
import logging
import lzma
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.cli.prepare.records import check_splits, is_whole, read_records
from spotter.data.tracking import Track, write_track
from spotter.errors import UserError
from spotter.io.formats import format_of
from spotter.io.splits import write_splits
from spotter.tasks import Task
from spotter.types import Half, Spots

PLAYS, POSITIONS = "ngs_plays.jsonl.xz", "ngs_tracking_delta_int16.npy.xz"
ENTITIES = {"ball": 1, "home": 11, "away": 11}
FPS = Fraction(10)
FIELD = np.array([120.0, 160 / 3])  # yards
MISSING = -30_000
Play = dict[str, Any]

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("src", metavar="SRC", type=Path, help=f"folder with {PLAYS} and {POSITIONS}")
    parser.add_argument("root", metavar="ROOT", type=Path, help="where the tree goes")


def run(arguments: argparse.Namespace) -> int:
    """Write the tree and say what it holds."""
    task = Task.load("ngs")
    plays, positions = read_plays(arguments.src / PLAYS), read_positions(arguments.src / POSITIONS)
    frames = sum(play["frames"] for play in plays)
    if frames != len(positions):
        raise UserError(f"{arguments.src}: {PLAYS} has {frames} frames, {POSITIONS} {len(positions)}: get both again")
    splits = split_plays(plays)
    check_splits(arguments.root, splits, "plays")
    labels, others = {}, Counter[str]()
    for play, part in zip(plays, _parts(plays, positions), strict=True):
        half = Half(game_of(play), 1)
        write_track(arguments.root, half, track_of(part, play["direction"]), source="asonty/ngs_highlights")
        labels[half] = _spots(play, task, others)
    format_of(task).write(arguments.root, labels, task)
    write_splits(arguments.root, splits)
    counts = ", ".join(f"{len(games)} {name}" for name, games in splits.items())
    log.info("%s: %d plays (%s), %d spots", arguments.root, len(plays), counts, sum(map(len, labels.values())))
    if others:
        log.info("%d events of %d other kinds are left out", others.total(), len(others))
    return 0


def read_plays(path: Path) -> list[Play]:
    """Read the plays, in the order of their positions."""
    return read_records(path, "plays", find_wrong)


def find_wrong(play: Play) -> str | None:
    """Return a key of a play whose value cannot be, if there is one."""
    for key in ("game", "play", "season"):
        if not isinstance(play.get(key), int | str):
            return key
    if not is_whole(play.get("frames"), 1):
        return "frames"
    if play.get("direction") not in ("left", "right"):
        return "direction"
    match play.get("events"):
        case list() as events if all(map(_is_event, events)):
            return None
    return "events"


def _is_event(event: object) -> bool:
    match event:
        case [frame, str()]:
            return is_whole(frame)
    return False


def read_positions(path: Path) -> NDArray[np.int16]:
    """Read the positions of all plays, one after the other: (frames, ball and players, x and y and orientation)."""
    try:
        with lzma.open(path) as file:
            deltas = np.load(file, allow_pickle=False)
    except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
        raise UserError(f"{path}: no readable positions ({error}): get the file again") from error
    if deltas.ndim != 3 or deltas.shape[:2] != (sum(ENTITIES.values()), 3):
        raise UserError(f"{path}: expected an array (23, 3, frames), found {deltas.shape}: get the file again")
    return deltas.transpose(2, 0, 1).cumsum(0, dtype=np.int64).astype(np.int16)


def track_of(part: NDArray[np.int16], direction: str) -> Track:
    """Return where everything is in a play that runs to the right, with where players look as a vector."""
    known = np.where(part == MISSING, np.nan, part.astype(np.float64))
    position = 2 * known[..., :2] / 100 / FIELD - 1
    angle = np.deg2rad(known[..., 2] / 10)  # clockwise, 0 looks across the field
    looks = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    sign = -1 if direction == "left" else 1
    return Track(sign * position, ENTITIES, FPS, vectors=[sign * looks])


def game_of(play: Play) -> str:
    """Return the name of the folder of a play."""
    return f"nfl/{play['season']}/{play['game']}-{play['play']}"


def split_plays(plays: list[Play]) -> dict[str, list[str]]:
    """Return the plays of each split; no game lies in two of them."""
    games = sorted({play["game"] for play in plays})
    test = games[2::5]
    valid = [game for game in games if game not in test][2::5]
    splits: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for play in plays:
        splits["test" if play["game"] in test else "valid" if play["game"] in valid else "train"].append(game_of(play))
    return splits


def _parts(plays: list[Play], positions: NDArray[np.int16]) -> Iterator[NDArray[np.int16]]:
    yield from np.split(positions, np.cumsum([play["frames"] for play in plays])[:-1])


def _spots(play: Play, task: Task, others: Counter[str]) -> Spots:
    """Return the spots of a play; events of other kinds are counted."""
    names = [name for _, name in play["events"]]
    others.update(name for name in names if name not in task.classes)
    rows = [(task.classes.index(name), frame / FPS) for frame, name in play["events"] if name in task.classes]
    label, time = np.array(rows, np.float64).reshape(-1, 2).T
    return Spots(label.astype(np.int64), time, np.ones(len(rows), bool))
