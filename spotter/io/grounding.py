"""Prediction files of replay grounding: for each replay the moments at which its action may have happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.io.entries import Entries
from spotter.io.files import json_bytes
from spotter.io.game_files import ROOT
from spotter.io.predictions import write_games
from spotter.io.trees import find_games, read_entries

FILES = ("results_grounding.json", "Detection-replays.json")  # of 2022 and of 2021
ZIP = "results_grounding.zip"
REMEDY = 'answer the replays of this game, or choose other games; an empty list "Replays" answers none'
SECOND = "a whole second"


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Hold the answers to the replays of one game.

    half, start, end : (R,) of each replay, whole seconds, in file order
    replay : (D,) which of these each answer belongs to, ascending
    time : (D,) seconds of the action, in file order
    score : (D,)
    """

    half: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    replay: NDArray[np.int64]
    time: NDArray[np.float64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.half)

    @classmethod
    def empty(cls) -> Answers:
        """Return the answers to the replays of a game that has none."""
        whole, real = np.empty(0, np.int64), np.empty(0)
        return cls(whole, whole, whole, whole, real, real)


def find_answers(root: str | Path) -> tuple[str, list[str]]:
    """Return the name of the files of a folder, zip or single file, and the sorted games that have one."""
    if Path(root).suffix == ".json":
        return Path(root).name, find_games(root, Path(root).name)
    for name in FILES:
        if games := find_games(root, name):
            return name, games
    raise UserError(f"{root}: holds neither {FILES[0]} nor {FILES[1]}: give what answers replays")


def holds_answers(root: str | Path) -> bool:
    """Return whether a folder, zip or single file holds answers to replays."""
    if Path(root).suffix == ".json":
        return Path(root).name in FILES
    return any(find_games(root, name) for name in FILES)


def read_answers(root: str | Path, games: Iterable[str]) -> dict[str, Answers]:
    """Return the answers to the replays of each game; raises UserError for a missing or malformed file."""
    name, _ = find_answers(root)
    return {game: _answers(entries) for game, entries in read_entries(root, games, name, "Replays", REMEDY)}


def write_answers(out: str | Path, answers: Mapping[str, Answers]) -> None:
    """Write ``<out>/<game>/results_grounding.json`` for every game, and a zip of them for the challenge server."""
    write_games(out, FILES[0], ZIP, sorted(answers), lambda game: json_bytes(_document(game, answers[game])))


def read_replays(path: str | Path) -> list[tuple[int, int, int]]:
    """Return half, start and end, whole seconds, of the replays that a file lists under ``Replays``.

    It is what answers are written as; ``detection`` may be missing. Raises UserError for another file, and where it
    lists no replay, or one that does not end after it starts.
    """
    ((_, entries),) = read_entries(path, [ROOT], Path(path).name, "Replays", REMEDY)
    columns = [entries.column(name, SECOND, int).astype(np.int64).tolist() for name in ("half", "start", "end")]
    replays = list(zip(*columns, strict=True))
    if not replays:
        raise UserError(f'{path}: "Replays" is empty: list half, start and end of each replay')
    for number, (_, start, end) in enumerate(replays, start=1):
        if not 0 <= start < end:
            raise UserError(f"{path}: entry {number} lasts from {start} to {end} s: give the seconds of a replay")
    return replays


def _document(game: str, answers: Answers) -> dict[str, Any]:
    replays: list[dict[str, Any]] = [
        {"half": half, "start": start, "end": end, "detection": []}
        for half, start, end in zip(answers.half.tolist(), answers.start.tolist(), answers.end.tolist(), strict=True)
    ]
    columns = (answers.replay.tolist(), answers.time.tolist(), answers.score.tolist())
    for replay, time, score in zip(*columns, strict=True):
        replays[replay]["detection"].append({"time": time, "score": score})
    return {"UrlLocal": game, "Replays": replays}


def _answers(entries: Entries) -> Answers:
    end = entries.column("end", SECOND, int).astype(np.int64)
    listed = [row.get("detection") for row in entries.rows]
    for number, detections in enumerate(listed, start=1):
        if not isinstance(detections, list):
            raise UserError(f"{entries.where}: entry {number} has no list 'detection': an empty one answers nothing")
    flat = Entries(f"{entries.where}: answers", [answer for detections in listed for answer in detections])
    score = flat.column("score", "a number")
    if np.isnan(score).any():
        raise UserError(f"{flat.where}: entry {int(np.isnan(score).argmax()) + 1} has no score: give a number")
    return Answers(
        entries.column("half", "a half's number", int).astype(np.int64),
        entries.column("start", SECOND, int).astype(np.int64),
        end,
        np.repeat(np.arange(len(listed)), [len(detections) for detections in listed]),
        flat.column("time", "seconds", float),
        score,
    )
