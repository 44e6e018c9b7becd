"""Write a data set of rendered matches in the layout of ball-2023, or complete one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import track

from spotter.errors import UserError
from spotter.io.files import atomic_write
from spotter.io.formats import format_of
from spotter.simulation.features.labels import SPLITS, check_games, draw_matches, labelled_matches, write_labels
from spotter.simulation.features.tree import RECORD
from spotter.simulation.video.encode import write_video
from spotter.simulation.video.matches import read_touches, simulated_match
from spotter.simulation.video.motion import move
from spotter.simulation.video.picture import picture_width, pictures
from spotter.tasks import Task

DEMO_VIDEO_VERSION = 1
TASK = "ball-2023"
HEIGHTS = (32, 1080)
SHORTEST = 0.1  # minutes
TAIL = 2.0  # seconds of a match after its last spot, at least


def simulate_video(
    root: str | Path,
    *,
    games: Sequence[int] = (5, 1, 2),
    minutes: float = 8.0,
    fps: float = 25.0,
    height: int = 112,
    seed: int = 0,
    labels: str | Path | None = None,
) -> Path:
    """Write what is missing of a tree of rendered matches, and return its root.

    games : how many for train, valid and test
    minutes : of a match, one half each; with ``labels`` a match lasts until after its last spot
    fps, height : of the videos, ``<height>p.mp4``, 16:9; the matches are the same for all
    labels : folder or zip of official label files to render around, in place of simulated ones

    Raises UserError for wrong parameters, and for a folder that holds something else.
    """
    root, task = Path(root), Task.load(TASK)
    _check(games, minutes, fps, height, seed)
    wanted = {
        "version": DEMO_VIDEO_VERSION,
        "kind": "video",
        "seed": seed,
        "games": list(games),
        "minutes": minutes,
        "fps": float(fps),
        "height": height,
        "labels": Path(labels).name if labels else None,
    }
    _record(root, wanted)
    draw = partial(simulated_match, task, seed, minutes=minutes)
    splits = write_labels(
        root, task, lambda: labelled_matches(task, labels, games) if labels else draw_matches(draw, games)
    )
    missing = [game for split in SPLITS for game in splits[split] if not video_path(root, game, height).is_file()]
    format_of(task).read(root, missing, task)  # what is wrong with a label file shows now, before any work is done
    for game in track(missing, "videos", console=Console(stderr=True), transient=True):
        _render(root, game, task, wanted)
    return root


def video_path(root: str | Path, game: str, height: int) -> Path:
    """Return where the video of a match lies."""
    return Path(root) / game / f"{height}p.mp4"


def _render(root: Path, game: str, task: Task, wanted: dict[str, Any]) -> None:
    seed, fps, height = wanted["seed"], wanted["fps"], wanted["height"]
    touches = read_touches((root / game / task.label_file).read_bytes())
    least = 0.0 if wanted["labels"] else 60 * wanted["minutes"]
    motion = move(touches, max(least, touches.time.max(initial=0) + TAIL), fps, seed, game)
    size = height, picture_width(height)
    write_video(video_path(root, game, height), pictures(motion, fps, height, seed, game), fps, size)


def _check(games: Sequence[int], minutes: float, fps: float, height: int, seed: int) -> None:
    check_games(games)
    if not SHORTEST <= minutes < float("inf"):
        raise UserError(f"minutes must be at least {SHORTEST:g}, found {minutes:g}")
    if not 1 <= fps <= 100:
        raise UserError(f"fps must lie between 1 and 100, found {fps:g}")
    if height % 2 or not HEIGHTS[0] <= height <= HEIGHTS[1]:
        raise UserError(f"height must be even and between {HEIGHTS[0]} and {HEIGHTS[1]}, found {height}")
    if seed < 0:
        raise UserError(f"seed must be at least 0, found {seed}")


def _record(root: Path, wanted: dict[str, Any]) -> None:
    """Write the tree's record, or find the same there; refuse a tree of other parameters."""
    path = root / RECORD
    if not root.is_dir() or all(each.name.startswith(".") for each in root.iterdir()):
        atomic_write(path, orjson.dumps(wanted, option=orjson.OPT_INDENT_2))
        return
    try:
        found = dict(orjson.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise UserError(f"{root}: holds no {RECORD}, so it is no simulated tree: give another folder") from error
    except (orjson.JSONDecodeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged: delete the folder {root} and make it anew") from error
    if found.get("kind") != "video":
        raise UserError(f"{root}: holds a demo of features, not of video: give another folder")
    differs = [f"{key} {found.get(key)}, not {value}" for key, value in wanted.items() if found.get(key) != value]
    if differs:
        raise UserError(f"{root}: holds a demo of {'; '.join(differs)}: repeat those, or give another folder")
