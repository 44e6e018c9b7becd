"""Where players stand in simulated matches: formations that follow the ball, and patterns before set pieces and cards.

Rows are those of ``spotter.data.players``. All numbers are assumptions of what a broadcast shows, counted nowhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotter.data.players import PLAYER, VIEW
from spotter.io.files import write_array
from spotter.io.formats import format_of
from spotter.io.game_files import game_file, game_file_to_write
from spotter.simulation.seeds import generator
from spotter.tasks import Task
from spotter.types import Half, Spots

Floats = NDArray[np.float64]
FILES = ("players", "players_of_another")  # of the game itself, and the same of the next game
SLOTS, SIDE = 25, 11  # players that a row has room for; of a side
PITCH = np.array([52.5, 34.0])  # metres from the centre spot to the lines
SEEN = np.array([26.0, 17.0])  # metres to each side of the middle of the image
WAIT, COME = 8.0, 3.0  # seconds that players stand in a pattern before its spot, and that they need to get there
FOLLOW = 12.0  # seconds over which the ball wanders
CALIBRATED, BLOCK = 0.8, 10.0  # fraction of the time with a calibration, in blocks of so many seconds
JITTER = 0.7  # metres


class Group(NamedTuple):
    """Say where some of the players stand in a pattern: around a place, with these deviations, in metres."""

    players: int
    x: float
    y: float
    spread_x: float
    spread_y: float


# Around the middle of the image, which is the first pair; the other end and the other side of the pitch come as often.
# fmt: off
PATTERNS: dict[str, tuple[tuple[float, float], tuple[Group, ...]]] = {
    "Penalty": ((44, 0), (Group(1, 41, 0, 0.5, 0.5), Group(1, 52, 0, 0.3, 0.5), Group(16, 33, 0, 1.5, 10))),
    "Kick-off": ((0, 0), (Group(2, 0, 0, 1, 1), Group(8, -12, 0, 3, 12), Group(8, 12, 0, 3, 12))),
    "Throw-in": ((25, 30), (Group(1, 25, 34, 0.5, 0.3), Group(8, 25, 26, 6, 4))),
    "Direct free-kick": ((36, 5), (Group(2, 30, 8, 1, 1), Group(4, 39, 6, 0.4, 1.2), Group(9, 41, -3, 2, 6))),
    "Corner": ((44, 10), (Group(1, 52, 33, 0.5, 0.5), Group(14, 47, 0, 2.5, 5))),
    "Yellow card": ((10, 5), (Group(4, 10, 5, 1.2, 1.2),)),
    "Red card": ((10, 5), (Group(8, 10, 5, 1.8, 1.8),)),
    "Yellow->red card": ((10, 5), (Group(6, 10, 5, 1.5, 1.5),)),
}
# fmt: on


def write_players(root: Path, task: Task, seed: int, file: str, fps: float) -> None:
    """Write where the players of every half stand, and beside it where those of the next game do.

    file, fps : the feature file of the halves, whose rows the players have
    """
    games = format_of(task).games(root, task)
    spots = format_of(task).read(root, games, task)
    for number, game in enumerate(games):
        for half in (Half(game, each) for each in task.halves):
            rows = len(np.load(game_file(root, game, f"{half.number}_{file}.npy"), mmap_mode="r"))
            others = (half, Half(games[(number + 1) % len(games)], half.number))
            for name, other in zip(FILES, others, strict=True):
                path = game_file_to_write(root, game, f"{half.number}_{name}.npy")
                if not path.is_file():
                    rng = generator(seed, "players", other.game, other.number)
                    write_array(path, player_rows(task, spots[other], rows, fps, rng).astype(np.float16))


def player_rows(task: Task, spots: Spots, frames: int, fps: float, rng: np.random.Generator) -> Floats:
    """Return the rows of a half, (frames, columns), with all players whom the image shows."""
    time, steps = np.arange(frames) / fps, int(frames / fps / FOLLOW) + 2
    ball = rng.uniform(-0.8, 0.8, (steps, 2)) * PITCH
    focus = np.stack([np.interp(time, FOLLOW * np.arange(steps), axis) for axis in ball.T], axis=1)
    home = rng.uniform(-0.9, 0.9, (2 * SIDE, 2)) * PITCH * [0.6, 1]
    home[:, 0] += np.repeat([-12, 12], SIDE)
    place = 0.45 * home + 0.55 * focus[:, None] + 2 * rng.standard_normal((1, 2 * SIDE, 2))
    for label, moment in zip(spots.label[spots.visible].tolist(), spots.time[spots.visible].tolist(), strict=True):
        if task.classes[label] in PATTERNS:
            _arrange(PATTERNS[task.classes[label]], moment, time, place, focus, rng)
    place += JITTER * rng.standard_normal(place.shape)
    seen = (np.abs(place - focus[:, None]) < SEEN).all(axis=2)
    blocks = rng.random(int(frames / fps / BLOCK) + 1) < CALIBRATED
    calibrated = blocks[(time / BLOCK).astype(np.int64)]
    rows = np.zeros((frames, VIEW + PLAYER * SLOTS))
    rows[:, 0] = 1
    rows[:, 1:VIEW] = (focus[:, None] + SEEN * [(-1, 1), (1, 1), (1, -1), (-1, -1)]).reshape(frames, -1)
    players = rows[:, VIEW : VIEW + PLAYER * 2 * SIDE].reshape(frames, 2 * SIDE, PLAYER)
    players[..., 0], players[..., 1:3] = 1, place
    players[..., 3:6] = np.repeat(rng.uniform(-1, 1, (2, 3)), SIDE, axis=0)
    players[..., 6] = rng.uniform(0.1, 0.4, seen.shape)
    players *= seen[..., None]
    rows[:, VIEW : VIEW + PLAYER * 2 * SIDE] = players.reshape(frames, -1)
    return rows * calibrated[:, None]


def _arrange(
    pattern: tuple[tuple[float, float], tuple[Group, ...]],
    moment: float,
    time: Floats,
    place: Floats,
    focus: Floats,
    rng: np.random.Generator,
) -> None:
    """Move some players, (frames, players, 2), and the middle of the image to a pattern that ends at ``moment``."""
    middle, groups = np.array(pattern[0]), pattern[1]
    near = slice(*np.searchsorted(time, [moment - WAIT - COME, moment + COME]))
    away = np.maximum(moment - WAIT - time[near], time[near] - moment)  # seconds from the time in which they stand
    share = np.clip(1 - away / COME, 0, 1)[:, None]
    sign = rng.choice([-1, 1], 2)
    focus[near] += share * (sign * middle - focus[near])
    chosen = iter(rng.permutation(2 * SIDE).tolist())
    for group in groups:
        spots = rng.normal((group.x, group.y), (group.spread_x, group.spread_y), (group.players, 2))
        for spot, player in zip(np.clip(spots, -PITCH, PITCH) * sign, chosen, strict=False):
            place[near, player] += share * (spot - place[near, player])
