"""A simulated tree on disk, whatever is simulated: its record, label files, splits and inputs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.progress import track

from spotter.errors import UserError, plural
from spotter.io.files import atomic_write, json_bytes
from spotter.io.formats import format_of
from spotter.io.splits import LABELLED
from spotter.progress import stderr_console
from spotter.simulation.labels import Draw, check_games, write_labels
from spotter.tasks import Task
from spotter.types import Half, Spots

RECORD = "demo.json"
FIRST_KIND = "features"  # which a record need not name
SHORTEST = 0.1  # minutes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """Describe a tree and how it is made.

    kind : ``features``, ``video`` or ``video of <task>``
    version : of what is drawn; trees of different versions are not mixed
    games : how many for train, valid and test
    minutes, seed : of a half; of all random numbers
    labels : folder or zip of official label files to take in place of drawn matches
    draw : draws a match by its number
    path : where the input of a half lies
    write : makes the input of a half
    settings : what else all of the tree is made with
    file : name and settings of a file per half which a call may add to the tree; None where there is only one
    """

    kind: str
    version: int
    task: Task
    games: Sequence[int]
    minutes: float
    seed: int
    labels: str | Path | None
    draw: Draw
    path: Callable[[Half], Path]
    write: Callable[[Half, Spots], None]
    settings: Mapping[str, Any] = field(default_factory=dict)
    file: tuple[str, dict[str, Any]] | None = None

    def record(self) -> dict[str, Any]:
        """Return what the tree's record says of it; every other call must repeat it."""
        return {
            "version": self.version,
            **({} if self.kind == FIRST_KIND else {"kind": self.kind}),
            "seed": self.seed,
            "games": list(self.games),
            "minutes": self.minutes,
            **self.settings,
            "labels": Path(self.labels).name if self.labels else None,
        }


def write_tree(root: Path, simulation: Simulation) -> Path:
    """Write what is missing of a simulated tree, and return its root.

    Raises UserError for settings out of range, for a folder that holds something else, and for a wrong label file,
    before any work is done.
    """
    _check(simulation)
    task = simulation.task
    _enter_record(root, simulation)
    splits = write_labels(root, task, simulation.draw, simulation.games, simulation.labels)
    halves = [Half(game, number) for split in LABELLED for game in splits[split] for number in task.halves]
    missing = [half for half in halves if not simulation.path(half).is_file()]
    if not missing:
        return root  # a progress bar of nothing would print an empty line
    log.info("%s: %s to simulate, %d are there", root, plural(len(missing), "half"), len(halves) - len(missing))
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
        raise UserError(f"{path}: damaged: delete the folder {root} and make it again") from error
    found = content.get("kind", FIRST_KIND)
    if found != kind:
        raise UserError(f"{root}: holds a demo of {found}, not of {kind}: give another folder")
    return {**content, "files": files} if kind == FIRST_KIND else content


def _check(simulation: Simulation) -> None:
    check_games(simulation.games)
    if simulation.seed < 0:
        raise UserError(f"seed must be at least 0, found {simulation.seed}")
    if not SHORTEST <= simulation.minutes < float("inf"):
        raise UserError(f"minutes must be at least {SHORTEST:g}, found {simulation.minutes:g}")


def _enter_record(root: Path, simulation: Simulation) -> None:
    """Write the tree's record, or find the same there; refuse a tree of other settings."""
    wanted = simulation.record()
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
        atomic_write(root / RECORD, json_bytes(found))
