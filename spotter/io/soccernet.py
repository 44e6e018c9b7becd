"""The official annotation format, read by every rule of the official evaluator."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from spotter.errors import UserError, shorten
from spotter.io.files import atomic_write, json_bytes
from spotter.io.game_files import game_file, game_file_to_write
from spotter.io.trees import find_games, read_entries
from spotter.tasks import TEAM, Task
from spotter.types import Half, Spots

OFFICIAL_HALVES = (1, 2)  # read whatever the task has: the official evaluator scores both, and no other
MILLISECONDS = "a whole number of milliseconds"
MOST_NAMED = 8  # unknown classes, in a warning
CLOCK = "text like '1 - 12:34', half and time"
_CLOCK = re.compile(r"\s*([0-9])\s*-\s*([0-9]+):([0-9]{2})\s*")

log = logging.getLogger(__name__)


class SoccerNet:
    """One ``<root>/<game>/<Task.label_file>`` for each game, in a folder or a zip; or a single such file."""

    def games(self, root: str | Path, task: Task) -> list[str]:
        """Return every folder that holds a label file."""
        return find_games(root, task.label_file)

    def missing(self, root: str | Path, games: Iterable[str], task: Task) -> dict[str, Path]:
        """Return the games whose folder has no label file."""
        files = {game: game_file(root, game, task.label_file) for game in games}
        return {game: file for game, file in files.items() if not file.is_file()}

    def read(self, root: str | Path, games: Iterable[str], task: Task) -> dict[Half, Spots]:
        """Return the spots of halves 1 and 2 of each game, and of others that the task has.

        Labels of other classes are skipped with one counted warning, unless a strict task refuses them; those of other
        halves are skipped with another. Raises UserError for a label that does not say its half, which the official
        evaluator takes from the first digit of its time.
        """
        halves, unknown, elsewhere = {}, Counter[str](), Counter[int]()
        remedy = "get the labels of this game, or choose other games; another task has another label file"
        for game, entries in read_entries(root, games, task.label_file, "annotations", remedy):
            number = entries.column("gameTime", CLOCK, clock_half)
            time = entries.column("gameTime", CLOCK, clock_seconds)
            precise = np.array(["position" in row for row in entries.rows], bool)
            time[precise] = entries.column("position", MILLISECONDS, int, precise) / 1000
            label = entries.classes(task, unknown)
            visible = entries.visible()
            spots = Spots(label, time, visible, entries.teams())
            for half in halves_of(task):
                halves[Half(game, half)] = spots.take((number == half) & (label >= 0))
            other = (label >= 0) & ~np.isin(number, halves_of(task))
            elsewhere.update(number[other].astype(int).tolist())
        warn_of_unknown(unknown, f"{root}: labels", task)
        warn_of_other_halves(elsewhere, f"{root}: labels", task)
        return halves

    def write(
        self,
        root: str | Path,
        labels: Mapping[Half, Spots],
        task: Task,
        about: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Write one label file for each game.

        about : by game, what its file says beside its entries, in that order; ``annotations`` there marks their place
        """
        for game, halves in groupby(sorted(labels), key=lambda half: half.game):
            entries = [entry for half in halves for entry in _entries(half.number, labels[half], task)]
            content = {"UrlLocal": f"{game}/", **(about or {}).get(game, {}), "annotations": entries}
            atomic_write(game_file_to_write(root, game, task.label_file), json_bytes(content))


def halves_of(task: Task) -> list[int]:
    """Return the numbers of the halves that are read from official files."""
    return sorted(task.halves if task.strict else {*OFFICIAL_HALVES, *task.halves})


def game_time(half: int, milliseconds: int) -> str:
    """Return a moment as official files write it.

    >>> game_time(2, 3_754_321)
    '2 - 62:34'
    """
    minutes, seconds = divmod(max(milliseconds, 0) // 1000, 60)
    return f"{half} - {minutes:02d}:{seconds:02d}"


def warn_of_unknown(unknown: Counter[str], what: str, task: Task) -> None:
    """Warn once of all entries whose class the task does not have; a strict task raises UserError instead."""
    if unknown:
        named = ", ".join(f"{shorten(name)} ({count})" for name, count in unknown.most_common(MOST_NAMED))
        more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
        if task.strict:
            raise UserError(f"{what} outside the task {task.name}: {named}{more}; correct them, or give their --task")
        log.warning("%s: skipped %d outside the task %s: %s%s", what, unknown.total(), task.name, named, more)


def warn_of_other_halves(numbers: Counter[int], what: str, task: Task) -> None:
    """Warn once of all labels of halves that the task does not have."""
    if numbers:
        named = ", ".join(f"half {number} ({count})" for number, count in sorted(numbers.items()))
        log.warning("%s: skipped %d of halves outside the task %s: %s", what, numbers.total(), task.name, named)


def _entries(half: int, spots: Spots, task: Task) -> Iterator[dict[str, Any]]:
    milliseconds = np.rint(1000 * spots.time).astype(np.int64).tolist()
    teams = [None] * len(spots) if spots.team is None else spots.team.tolist()
    columns = (spots.label.tolist(), milliseconds, teams, spots.visible.tolist())
    for label, position, team, visible in zip(*columns, strict=True):
        yield {
            "gameTime": game_time(half, position),
            **task.entry_of(label),
            "position": str(position),
            **({TEAM: team} if team else {}),
            "visibility": "visible" if visible else "not shown",
        }


def clock_half(clock: str) -> int:
    """Return the half of a ``gameTime``; raises ValueError where it is not as official files write it."""
    return int(_parts(clock)[1])


def clock_seconds(clock: str) -> int:
    """Return the whole seconds of a ``gameTime``, as ``clock_half`` does."""
    parts = _parts(clock)
    return 60 * int(parts[2][-2:]) + int(parts[3])  # two digits of the minutes, as the official evaluator reads them


def _parts(clock: str) -> re.Match[str]:
    match = _CLOCK.fullmatch(clock)
    if match is None:
        raise ValueError("no half and time")
    return match
