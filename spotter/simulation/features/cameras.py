"""Camera labels of a simulated tree: the replays that its features show, each with the action that it repeats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spotter.data.replays import LABELS
from spotter.io.files import atomic_write, json_bytes
from spotter.io.formats import format_of
from spotter.io.game_files import game_file_to_write
from spotter.io.soccernet import game_time
from spotter.simulation.features.scene import replays_of
from spotter.simulation.seeds import generator
from spotter.tasks import Task
from spotter.types import Half, Spots

LIVE = {"label": "Main camera center", "change_type": "logo", "replay": "real-time"}
AGAIN = {"label": "Close-up player or field referee", "change_type": "logo", "replay": "replay"}


def write_cameras(root: Path, task: Task, seed: int) -> None:
    """Write ``Labels-cameras.json`` of every game that has labels, from what the features of ``seed`` show."""
    games = format_of(task).games(root, task)
    shots: dict[str, list[dict[str, Any]]] = {game: [] for game in games}
    for half, spots in format_of(task).read(root, games, task).items():
        shots[half.game] += _shots(task, half, spots, seed)
    for game, listed in shots.items():
        content = json_bytes({"UrlLocal": f"{game}/", "annotations": listed})
        atomic_write(game_file_to_write(root, game, LABELS.label_file), content)


def _shots(task: Task, half: Half, spots: Spots, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the ends of the shots of a half; of replays that overlap the first is shown."""
    spot, start, end = replays_of(task, spots, generator(seed, "scene", half.game, half.number))
    shown = 0.0
    for row in np.argsort(start, kind="stable"):
        if start[row] < shown:
            continue
        shown = end[row] + 1  # so that no shot is shorter than the second in which the metric counts
        moment, action = round(1000 * spots.time[spot[row]]), task.classes[spots.label[spot[row]]]
        link = {"label": action, "half": str(half.number), "time": game_time(1, moment)[4:], "position": str(moment)}
        yield {**_moment(half, start[row]), **LIVE}
        yield {**_moment(half, end[row]), **AGAIN, "link": {**link, "team": "", "visibility": "visible"}}


def _moment(half: Half, seconds: float) -> dict[str, str]:
    position = round(1000 * seconds)
    return {"gameTime": game_time(half.number, position), "position": str(position)}
