"""Make features of camera shots: {half}_cameras.npy, from Labels-cameras.json, two rows a second.

A row says from which of 13 cameras the shot is, whether it is a replay, and how long ago it began.

  spotter prepare cameras /data/SoccerNet
  spotter train data=resnet_cameras data.root=/data/SoccerNet
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError, plural
from spotter.io.cameras import CameraShots, read_cameras
from spotter.io.files import write_array
from spotter.io.game_files import game_file_to_write
from spotter.io.trees import find_games
from spotter.tasks import Task

FPS = 2

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("root", metavar="ROOT", type=Path, help="the official tree")


def run(arguments: argparse.Namespace) -> int:
    """Write the features of every half that has camera labels."""
    task, cameras = Task.load("replay-grounding"), Task.load("camera-shots").classes
    games, halves = find_games(arguments.root, task.label_file), 0
    if not games:
        raise UserError(f"{arguments.root}: holds no {task.label_file}: get the camera labels of SoccerNet-v2")
    for game, shots in read_cameras(arguments.root, games, task).items():
        for half in np.unique(shots.half).tolist():
            path = game_file_to_write(arguments.root, game, f"{half}_cameras.npy")
            write_array(path, camera_rows(shots, half, cameras))
            halves += 1
    log.info("%s: %s of %s", arguments.root, plural(halves, "half"), plural(len(games), "game"))
    return 0


def camera_rows(shots: CameraShots, half: int, cameras: tuple[str, ...]) -> NDArray[np.float32]:
    """Return the rows of a half up to its last shot's end, (R, cameras + 2).

    First a 1 for the shot's camera, of an unknown one none; then whether it is a replay; last log(1 + its seconds).
    """
    mine = np.flatnonzero(shots.half == half)
    end, start = shots.end[mine], shots.start[mine]
    time = np.arange(FPS * int(end.max())) / FPS
    on = np.searchsorted(np.maximum.accumulate(end), time, side="right")
    camera = shots.camera[mine][on][:, None] == np.array(cameras)
    rows = np.column_stack((camera, shots.replayed[mine][on], np.log1p(np.maximum(time - start[on], 0))))
    return rows.astype(np.float32)
