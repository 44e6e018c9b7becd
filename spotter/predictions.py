"""What a model predicts of one or several halves, as columns, as a table and as files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spotter.errors import UserError, plural
from spotter.io.exchange.annotations import find_any_predictions, read_any_predictions
from spotter.io.files import atomic_write
from spotter.io.periods import match_clock
from spotter.io.predictions import game_json, write_predictions
from spotter.io.soccernet import warn_of_unknown
from spotter.tasks import TEAM, Task
from spotter.types import Half, HalfPredictions

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = ("game", "half", "time", "clock", "class", "confidence")  # with teams, theirs comes before the last


class Predictions(Mapping[Half, HalfPredictions]):
    """Map each half to its predictions: a read-only mapping, in order of game and number.

    task : what the classes in the columns are
    """

    def __init__(self, halves: Mapping[Half, HalfPredictions], task: Task) -> None:
        self._halves = {half: halves[half] for half in sorted(halves)}
        self.task = task

    @classmethod
    def read(cls, path: str | Path, task: Task | str | Path = "soccernet-v2") -> Predictions:
        """Read a ``results_spotting.json``, a folder or zip of them, or a file that ``spotter convert`` reads.

        task : a task, the name of one, or the path of its YAML file

        Raises UserError for a path without predictions, and for a malformed file.
        """
        task = task if isinstance(task, Task) else Task.load(task)
        games = find_any_predictions(path)
        if not games:
            raise UserError(f"{path}: holds no predictions: give a results_spotting.json, or a folder or zip of them")
        return cls(read_any_predictions(path, games, task), task)

    def __getitem__(self, half: Half) -> HalfPredictions:
        return self._halves[half]

    def __iter__(self) -> Iterator[Half]:
        return iter(self._halves)

    def __len__(self) -> int:
        return len(self._halves)

    def __repr__(self) -> str:
        spots = sum(map(len, self._halves.values()))
        return f"<Predictions of {self.task.name}: {plural(spots, 'spot')} in {plural(len(self), 'half')}>"

    @property
    def games(self) -> list[str]:
        """Return the names of all games."""
        return list(dict.fromkeys(half.game for half in self))

    def to_frame(self) -> DataFrame:
        """Return a pandas table with one row for each spot, by half and time.

        game : str; half : int; time : seconds from the start of the half; clock : "12:34"; class : str;
        team : str, where the task has teams; confidence : 0 … 1. Where halves lie in one file, also
        match_clock : "57:34"; video_time : seconds of the file
        """
        import pandas  # here, for nothing else needs it

        sizes = [len(spots) for spots in self.values()]
        spots = self._joined()
        minutes, seconds = np.divmod(np.maximum(spots.time, 0).astype(np.int64), 60)
        columns = (
            np.repeat(np.array([half.game for half in self], object), sizes),
            np.repeat(np.array([half.number for half in self], np.int64), sizes),
            spots.time,
            [f"{minute:02d}:{second:02d}" for minute, second in zip(minutes, seconds, strict=True)],
            np.array(self.task.classes, object)[spots.label],
            spots.confidence,
        )
        table = pandas.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
        if self.task.teams:
            named = np.array([*self.task.teams, ""], object)  # the last is unknown, -1
            table.insert(len(COLUMNS) - 1, TEAM, named[spots.sides])
        if any(each.period for each in self.values()):
            starts = np.repeat([each.start for each in self.values()], sizes)
            milliseconds = np.rint(1000 * spots.time).astype(np.int64).tolist()
            table.insert(4, "match_clock", list(map(match_clock, table["half"].tolist(), milliseconds)))
            table.insert(5, "video_time", spots.time + starts)
        return table

    def to_csv(self, path: str | Path) -> None:
        """Write the table of ``to_frame`` as CSV, with a line of column names."""
        atomic_write(path, self.to_frame().to_csv(index=False).encode())

    def to_json(self, path: str | Path) -> None:
        """Write the official JSON: of one game to a file ``*.json``, or of all games to a folder, with their zip.

        Raises UserError for a file and several games.
        """
        if Path(path).suffix != ".json":
            write_predictions(path, self, self.task)
            return
        if len(self.games) > 1:
            raise UserError(f"{path}: a file holds one game, and these are {len(self.games)}: give a folder")
        atomic_write(path, game_json("".join(self.games), self, self.task))

    def as_task(self, task: Task) -> Predictions:
        """Return the predictions with the classes and teams of another task, by their names.

        Those that the task does not have are skipped with one counted warning; a strict task raises UserError.
        """
        known = np.array([-1 if found is None else found for found in map(task.class_called, self.task.classes)])
        unknown, halves = Counter[str](), {}
        for half, spots in self.items():
            label = known[spots.label]
            unknown.update(self.task.classes[index] for index in spots.label[label < 0])
            named = np.array([*self.task.teams, ""])[spots.sides] if self.task.teams else None
            team = task.team_of(named, len(spots)) if task.teams else None
            halves[half] = replace(spots, label=label, team=team).take(label >= 0)
        warn_of_unknown(unknown, "predictions", task)
        return Predictions(halves, task)

    def _joined(self) -> HalfPredictions:
        """Return the rows of all halves, each by time."""
        return HalfPredictions.joined([spots.take(np.argsort(spots.time, kind="stable")) for spots in self.values()])
