"""Camera shots of SoccerNet-v2, ``Labels-cameras.json``: where each ends, and which action a replay shows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.io.entries import Entries
from spotter.io.soccernet import CLOCK, MILLISECONDS, clock_half, clock_seconds
from spotter.io.trees import read_entries
from spotter.tasks import Task

REMEDY = "get the camera labels of this game, or choose other games: not every game of SoccerNet has them"
LINK_CLOCK = "text like '12:34'"

log = logging.getLogger(__name__)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CameraShots:
    """Hold the camera shots of one game as columns, in file order; a shot lasts from the end of the one before it.

    half : (N,) of the shot's end
    end : (N,) whole seconds
    camera : (N,) text, empty where the file does not name it
    replayed : (N,) bool, whether the shot is a replay
    linked : (N,) bool, whether the file says which action it repeats
    action_half : (N,) half of that action, 0 where none is linked
    action : (N,) its class, -1 where none is linked or the task does not have it
    action_second : (N,) its whole second, which the metric takes
    action_time : (N,) its time in seconds, exact where the file has a position
    """

    half: Ints
    end: Ints
    camera: NDArray[np.str_]
    replayed: NDArray[np.bool_]
    linked: NDArray[np.bool_]
    action_half: Ints
    action: Ints
    action_second: Ints
    action_time: Floats

    @property
    def start(self) -> Ints:
        """Return the whole second in which each shot begins: the first of a half at 0."""
        first = np.diff(self.half, prepend=-1) != 0
        return np.where(first, 0, np.roll(self.end, 1)) if len(self.end) else self.end


@dataclass(frozen=True, slots=True, eq=False)
class Replays:
    """Hold the replays of one game whose action is known, as columns in file order.

    row : (N,) the shot that each is, see ``CameraShots``
    half : (N,) of the replay and of its action
    start, end : (N,) whole seconds
    action : (N,) class of the action
    time : (N,) seconds of the action
    """

    row: Ints
    half: Ints
    start: Ints
    end: Ints
    action: Ints
    time: Floats

    def __len__(self) -> int:
        return len(self.row)


def read_cameras(root: str | Path, games: Iterable[str], task: Task) -> dict[str, CameraShots]:
    """Return the camera shots of each game of a folder, a zip or a single file.

    Raises UserError for a missing or malformed file.
    """
    return {
        game: _shots(entries, task)
        for game, entries in read_entries(root, games, task.label_file, "annotations", REMEDY)
    }


def find_replays(games: Mapping[str, CameraShots]) -> dict[str, Replays]:
    """Return each game's replays whose action is in the task and in the same half; say what is left out, and why."""
    found, skipped = {}, Counter[str]()
    for game, shots in games.items():
        start = shots.start
        reasons = {
            "of a class outside the task": shots.linked & (shots.action < 0),
            "of another half": shots.linked & (shots.action_half != shots.half),
            "of no length": shots.linked & (start == shots.end),
        }
        good = shots.linked.copy()
        for reason, rows in reasons.items():
            skipped[reason] += int((good & rows).sum())
            good &= ~rows
        row = np.flatnonzero(good)
        found[game] = Replays(
            row, shots.half[row], start[row], shots.end[row], shots.action[row], shots.action_time[row]
        )
    if skipped.total():
        named = ", ".join(f"{count} {reason}" for reason, count in skipped.items() if count)
        log.warning("%d replays are found, %d are left out: %s", sum(map(len, found.values())), skipped.total(), named)
    return found


def _shots(entries: Entries, task: Task) -> CameraShots:
    half = entries.column("gameTime", CLOCK, clock_half).astype(np.int64)
    end = entries.column("gameTime", CLOCK, clock_seconds).astype(np.int64)
    linked = np.array(["link" in row for row in entries.rows], bool)
    links = Entries(f"{entries.where}: links", [row["link"] for row in entries.rows if "link" in row])
    second = links.column("time", LINK_CLOCK, _link_seconds).astype(np.int64)
    exact = np.array(["position" in link for link in links.rows], bool)
    time = second.astype(np.float64)
    time[exact] = links.column("position", MILLISECONDS, int, exact) / 1000
    columns = {
        "action_half": links.column("half", "a half's number", int),
        "action": links.classes(task, Counter()),
        "action_second": second,
        "action_time": time,
    }
    return CameraShots(
        half,
        end,
        np.array([str(row.get("label") or "") for row in entries.rows], dtype=np.str_),
        linked | np.array([row.get("replay") == "replay" for row in entries.rows], bool),
        linked,
        **{name: _spread(values, linked, -1 if name == "action" else 0) for name, values in columns.items()},
    )


def _spread(values: NDArray, linked: NDArray[np.bool_], empty: int) -> Any:
    """Return a value for every shot, of those that link to no action ``empty``."""
    column = np.full(len(linked), empty, np.float64 if values.dtype == np.float64 else np.int64)
    column[linked] = values
    return column


def _link_seconds(clock: str) -> int:
    return 60 * int(clock[:2]) + int(clock[3:])
