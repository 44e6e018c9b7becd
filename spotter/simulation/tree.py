"""A simulated tree on disk, whatever is simulated: its record, label files, splits and inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.progress import track

from spotter.errors import UserError
from spotter.io.files import atomic_write
from spotter.io.formats import format_of
from spotter.progress import stderr_console
from spotter.simulation.labels import SPLITS, Draw, check_games, write_labels
from spotter.tasks import Task
from spotter.types import Half, Spots

RECORD = "demo.json"


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """Describe a tree and how it is made.

    kind : ``features`` or ``video``
    settings : what all of the tree is made with, as its record says; every other call must repeat it
    file : name and settings of a file per half which a call may add to the tree; None where there is only one
    draw : makes the label file of a match by its number
    path : where the input of a half lies
    write : makes the input of a half
    """

    kind: str
    task: Task
    settings: dict[str, Any]
    draw: Draw
    path: Callable[[Half], Path]
    write: Callable[[Half, Spots], None]
    file: tuple[str, dict[str, Any]] | None = None


def write_tree(root: Path, simulation: Simulation, games: Sequence[int], labels: str | Path | None) -> Path:
    """Write what is missing of a simulated tree, and return its root.

    games : how many for train, valid and test
    labels : folder or zip of official label files to take in place of drawn matches

    Raises UserError for a folder that holds something else, and for a wrong label file, before any work is done.
    """
    check_games(games)
    task = simulation.task
    _enter_record(root, simulation)
    splits = write_labels(root, task, simulation.draw, games, labels)
    halves = [Half(game, number) for split in SPLITS for game in splits[split] for number in task.halves]
    missing = [half for half in halves if not simulation.path(half).is_file()]
    if not missing:
        return root  # a progress bar of nothing would print an empty line
    spots = format_of(task).read(root, dict.fromkeys(half.game for half in missing), task)
    screen = stderr_console()
    for half in track(missing, simulation.kind, console=screen, transient=True, disable=not screen.is_terminal):
        simulation.write(half, spots[half])
    return root


def read_record(root: str | Path, kind: str) -> dict[str, Any]:
    """Return what a simulated tree was made with; raises UserError where there is none of that kind."""
    path = Path(root) / RECORD
    try:
        content = dict(orjson.loads(path.read_bytes()))
        files = dict(content.get("files", {}))
    except FileNotFoundError as error:
        raise UserError(f"{root}: holds no {RECORD}, so it is no simulated tree: give another folder") from error
    except (orjson.JSONDecodeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged: delete the folder {root} and make it anew") from error
    found = content.get("kind", "features")
    if found != kind:
        raise UserError(f"{root}: holds a demo of {found}, not of {kind}: give another folder")
    return {**content, "files": files} if kind == "features" else content


def check_seed(seed: int) -> None:
    """Raise UserError for a negative seed."""
    if seed < 0:
        raise UserError(f"seed must be at least 0, found {seed}")


def _enter_record(root: Path, simulation: Simulation) -> None:
    """Write the tree's record, or find the same there; refuse a tree of other settings."""
    wanted = simulation.settings
    new = not root.is_dir() or all(path.name.startswith(".") for path in root.iterdir())
    found = dict(wanted) if new else read_record(root, simulation.kind)
    differs = [f"{key} {found.get(key)}, not {value}" for key, value in wanted.items() if found.get(key) != value]
    if simulation.file is not None:
        name, entry = simulation.file
        files: dict[str, Any] = found.setdefault("files", {})
        if files.get(name, entry) != entry:
            differs.append(f"{name} {files[name]}, not {entry}")
        new |= name not in files
        files[name] = entry
    if differs:
        raise UserError(f"{root}: holds a demo of {'; '.join(differs)}: repeat those, or give another folder")
    if new:
        atomic_write(root / RECORD, orjson.dumps(found, option=orjson.OPT_INDENT_2))
