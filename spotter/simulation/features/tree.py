"""Write a simulated data set in the official layout, or complete one."""

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
from spotter.simulation.features.features import FeatureFile
from spotter.simulation.features.labels import SPLITS, check_games, draw_matches, labelled_matches, write_labels
from spotter.simulation.features.matches import simulated_match
from spotter.simulation.features.scene import stage
from spotter.simulation.features.seeds import generator
from spotter.tasks import Task
from spotter.types import Half, Spots

DEMO_VERSION = 1
RECORD = "demo.json"
DEFAULT_FILE = "baidu_soccer_embeddings"
NARROWEST = 32  # columns, so that every extractor has some
TAIL = 10.0  # seconds of a half after its last spot, at least


def simulate(
    root: str | Path,
    *,
    games: Sequence[int] = (6, 2, 2),
    minutes: float = 45.0,
    width: int = 128,
    seed: int = 0,
    labels: str | Path | None = None,
    file: str = DEFAULT_FILE,
    fps: float = 1.0,
) -> Path:
    """Write what is missing of a simulated official tree, and return its root.

    games : how many for train, valid and test
    labels : folder or zip of official label files to take in place of simulated matches
    file, fps, width : the feature file of every half; other files of the same matches may be added by other calls

    Raises UserError for wrong parameters, and for a folder that holds something else.
    """
    root, task = Path(root), Task.load("soccernet-v2")
    features = FeatureFile(file, float(fps), width)
    _check(games, minutes, seed, features)
    source = Path(labels).name if labels else None
    wanted = {"version": DEMO_VERSION, "seed": seed, "games": list(games), "minutes": minutes, "labels": source}
    _record(root, wanted, features)
    draw = partial(simulated_match, task, seed, minutes=minutes)
    splits = write_labels(
        root, task, lambda: labelled_matches(task, labels, games) if labels else draw_matches(draw, games)
    )
    halves = [Half(game, number) for split in SPLITS for game in splits[split] for number in task.halves]
    missing = [half for half in halves if not feature_path(root, half, file).is_file()]
    if missing:
        spots = format_of(task).read(root, dict.fromkeys(half.game for half in missing), task)
        for half in track(missing, "features", console=Console(stderr=True), transient=True):
            content = _features(task, features, seed, half, spots[half], 60 * minutes)
            atomic_write(feature_path(root, half, file), content)
    return root


def read_record(root: str | Path) -> dict[str, Any]:
    """Return the parameters that a simulated tree was made with; raises UserError where there is none."""
    try:
        content = orjson.loads((Path(root) / RECORD).read_bytes())
        if content.get("kind") == "video":
            raise UserError(f"{root}: holds a demo of video, not of features: give another folder")
        return {**content, "files": dict(content["files"])}
    except FileNotFoundError as error:
        raise UserError(f"{root}: holds no {RECORD}, so it is no simulated tree: give another folder") from error
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{Path(root) / RECORD}: damaged: delete the folder {root} and make it anew") from error


def feature_path(root: str | Path, half: Half, file: str) -> Path:
    """Return where a feature file of a half lies."""
    return Path(root) / half.game / f"{half.number}_{file}.npy"


def _check(games: Sequence[int], minutes: float, seed: int, features: FeatureFile) -> None:
    check_games(games)
    if not 0 < minutes < float("inf"):
        raise UserError(f"minutes must be above 0, found {minutes:g}")
    if seed < 0:
        raise UserError(f"seed must be at least 0, found {seed}")
    if features.width < NARROWEST:
        raise UserError(f"width must be at least {NARROWEST}, found {features.width}")
    if not 0 < features.fps < float("inf"):
        raise UserError(f"fps must be above 0, found {features.fps:g}")
    if not features.name or Path(features.name).name != features.name:
        raise UserError(f"file must be a plain name such as {DEFAULT_FILE}, found {features.name!r}")


def _record(root: Path, wanted: dict[str, Any], features: FeatureFile) -> None:
    """Enter the feature file in the tree's record, or find it there; refuse a tree of other parameters."""
    occupied = root.is_dir() and any(not path.name.startswith(".") for path in root.iterdir())
    found = read_record(root) if occupied else {**wanted, "files": {}}
    files = found["files"]
    entry = {"fps": features.fps, "width": features.width, "groups": features.groups}
    asked, held = {**wanted, features.name: entry}, {**found, features.name: files.get(features.name, entry)}
    differs = [f"{key} {held.get(key)}, not {value}" for key, value in asked.items() if held.get(key) != value]
    if differs:
        raise UserError(f"{root}: holds a demo of {'; '.join(differs)}: repeat those, or give another folder")
    if features.name not in files:
        content = {**wanted, "files": {**files, features.name: entry}}
        atomic_write(root / RECORD, orjson.dumps(content, option=orjson.OPT_INDENT_2))


def _features(task: Task, features: FeatureFile, seed: int, half: Half, spots: Spots, shortest: float) -> bytes:
    seconds = max(shortest, spots.time.max(initial=0) + TAIL)
    parts = stage(task, spots, seconds, generator(seed, "scene", half.game, half.number))
    return features.encode(seed, half, parts, seconds)
