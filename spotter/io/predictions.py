"""Prediction files: the official JSON of each game, one zip for the challenge server, and what they score."""

from __future__ import annotations

import io
import logging
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from spotter.bounded import open_zip
from spotter.errors import UserError, plural
from spotter.io.anticipation import FILE as ANTICIPATION_FILE
from spotter.io.anticipation import write_anticipation
from spotter.io.files import atomic_write, json_bytes
from spotter.io.game_files import game_file_to_write
from spotter.io.periods import KEY, read_intervals, write_intervals
from spotter.io.soccernet import MILLISECONDS, game_time, halves_of, warn_of_unknown
from spotter.io.trees import find_games, read_entries
from spotter.tasks import ANTICIPATION, Task
from spotter.types import Half, HalfPredictions, Metrics, quantise

log = logging.getLogger(__name__)

METRICS = "metrics.json"
PREDICTION_FILE = "results_spotting.json"
PREDICTION_ZIP = "results_spotting.zip"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: equal predictions give equal bytes


def find_predictions(root: str | Path) -> list[str]:
    """Return the sorted games that have predictions in a folder, a zip or a single file."""
    return find_games(root, PREDICTION_FILE)


def read_predictions(root: str | Path, games: Iterable[str], task: Task) -> dict[Half, HalfPredictions]:
    """Return the predictions of the halves of each game, in file order; a half may be empty.

    A confidence of null becomes NaN. Labels outside the task are skipped with one counted warning. A strict task
    refuses them, and has one half, whatever the file says, unless it says where halves lie in the match's video; other
    tasks have the halves that the file names, beside their own.
    Raises UserError for a missing or malformed file.
    """
    halves, unknown = {}, Counter[str]()
    remedy = f"predict this game, or choose other games; an empty list in its {PREDICTION_FILE} means no predictions"
    for game, entries in read_entries(root, games, PREDICTION_FILE, "predictions", remedy):
        time = entries.column("position", MILLISECONDS, int) / 1000
        periods = read_intervals(entries.more.get(KEY), entries.where)
        fixed = task.strict and not periods
        number = np.array(task.halves[:1]) if fixed else entries.column("half", "a half's number", int)
        numbers = sorted({*halves_of(task), *periods, *number[number >= 1].tolist()})
        label = entries.classes(task, unknown)
        counted = (label >= 0) & np.isin(number, numbers)
        confidence = np.full(len(label), np.nan)
        confidence[counted] = entries.column("confidence", "a number", among=counted)
        rows = HalfPredictions(label, time, confidence, entries.team_indices(task, counted))
        for half in numbers:
            of_half = rows.take(counted & (number == half))
            halves[Half(game, half)] = replace(of_half, period=periods.get(half))
    warn_of_unknown(unknown, f"{root}: predictions", task)
    return halves


def write_scored(
    out: str | Path,
    predictions: Mapping[Half, HalfPredictions],
    task: Task,
    metrics: Metrics | None,
    split: str | None = None,
) -> None:
    """Write predictions in the files of the task's challenge, and their metrics, if known, as ``<out>/metrics.json``.

    That file names task and split, too, so that no command has to ask for them. Metrics of earlier predictions are
    deleted first, so that they never stand beside others.
    """
    path = Path(out, METRICS)
    path.unlink(missing_ok=True)
    if task.metric == ANTICIPATION:
        write_anticipation(Path(out, ANTICIPATION_FILE), predictions, task, split)
    else:
        write_predictions(out, predictions, task)
    if metrics is not None:
        content = {**metrics, "task": task.name, "split": split}
        atomic_write(path, json_bytes(content))


def write_predictions(out: str | Path, predictions: Mapping[Half, HalfPredictions], task: Task) -> None:
    """Write ``<out>/<game>/results_spotting.json`` for every game, and ``<out>/results_spotting.zip``.

    Entries stand in the order of their metric frames and otherwise as in the columns, so that the last of equal
    (class, frame) stays the last and reading the files back gives the same score.
    """
    games = {game: list(halves) for game, halves in groupby(sorted(predictions), key=lambda half: half.game)}

    def content(game: str) -> bytes:
        return game_json(game, {half: predictions[half] for half in games[game]}, task)

    write_games(out, PREDICTION_FILE, PREDICTION_ZIP, games, content)


def write_games(
    out: str | Path, file_name: str, zip_name: str, games: Iterable[str], content_of: Callable[[str], bytes]
) -> None:
    """Write ``<out>/<game>/<file_name>`` for every game, and a zip of them as challenge servers take it.

    Files of games that an earlier zip in ``out`` holds and this one does not are deleted.
    """
    games, archive = list(games), io.BytesIO()
    _delete_others(Path(out, zip_name), file_name, set(games))
    with zipfile.ZipFile(archive, "w") as packed:
        for game in games:
            path = game_file_to_write(out, game, file_name)
            content = content_of(game)
            atomic_write(path, content)
            member = zipfile.ZipInfo(f"{game}/{file_name}", EPOCH)
            member.external_attr = 0o644 << 16  # else the file comes out unreadable
            packed.writestr(member, content, zipfile.ZIP_DEFLATED)
    atomic_write(Path(out, zip_name), archive.getvalue())


def confirm_zip(out: str | Path, expected: int) -> str:
    """Return in a line what the zip in ``out`` holds: path, games of how many ``expected``, size, if complete."""
    path = Path(out, PREDICTION_ZIP)
    with zipfile.ZipFile(path) as archive:
        games = len(archive.namelist())
    size = path.stat().st_size / 1e6
    state = "ready for the challenge server" if games >= expected else "incomplete: the challenge server wants all"
    return f"{path}: {games} of {plural(expected, 'game')}, {size:.1f} MB, {state}"


def game_json(game: str, halves: Mapping[Half, HalfPredictions], task: Task) -> bytes:
    """Return the official JSON of one game, which also says where halves lie in one file, if they do."""
    entries = [entry for half in sorted(halves) for entry in _entries(half, halves[half], task)]
    listed = write_intervals({half.number: rows.period for half, rows in halves.items() if rows.period})
    return json_bytes({"UrlLocal": game, **({KEY: listed} if listed else {}), "predictions": entries})


def _delete_others(path: Path, file_name: str, games: set[str]) -> None:
    """Delete the files of games that a zip holds, beside it, and ``games`` does not; nothing outside of its folder."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return
    try:
        with open_zip(path) as earlier:
            named = [name.rpartition("/") for name in earlier.namelist()]
        for game in {game for game, _, file in named if file == file_name} - games:
            game_file_to_write(path.parent, game, file_name).unlink(missing_ok=True)
    except UserError as error:
        log.warning("%s: not written by spotter, files of earlier predictions are left: %s", path, error)


def _entries(half: Half, predictions: HalfPredictions, task: Task) -> list[dict[str, Any]]:
    order = np.argsort(quantise(predictions.time, task.fps), kind="stable")
    milliseconds = np.rint(1000 * predictions.time[order]).astype(np.int64).tolist()
    team, confidence = predictions.sides[order].tolist(), predictions.confidence[order].tolist()
    columns = (predictions.label[order].tolist(), team, milliseconds, confidence)
    return [
        {
            "gameTime": game_time(half.number, position),
            **task.entry_of(label, side),
            "position": str(position),
            "half": str(half.number),
            "confidence": repr(confidence),
        }
        for label, side, position, confidence in zip(*columns, strict=True)
    ]
