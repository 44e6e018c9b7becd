"""Positions of players and ball at every frame of a half, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spotter.simulation.seeds import generator
from spotter.simulation.video.action_places import place_actions
from spotter.simulation.video.action_play import ActionPlay, Followers
from spotter.simulation.video.actions import Actions
from spotter.simulation.video.matches import Touches
from spotter.simulation.video.play import PACE, Play, Way, fall
from spotter.simulation.video.squad import PITCH, PLAYERS, Array, Squad

RATE = 25.0  # points per second in between which players move straight
SMOOTH = 0.12  # seconds
STRIDE = 1.1  # metres of a step


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Hold a half at its frames.

    ball : (T, 3) metres along, across and above the pitch
    player : (T, P, 2) metres
    stride : (T, P) steps done
    pace : (T, P) metres per second
    """

    ball: Array
    player: Array
    stride: Array
    pace: Array


def move(touches: Touches, seconds: float, fps: float, seed: int, game: str) -> Motion:
    """Return a half of ``seconds`` at its frames; the motion is the same for any ``fps``."""
    rng = generator(seed, "play", game)
    play = Play(Squad.draw(rng), rng)
    play.run(touches, seconds)
    return sample(play, seconds, fps)


def move_actions(actions: Actions, seconds: float, fps: float, seed: int, game: str) -> Motion:
    """Return a half of the twelve actions at its frames, as ``move`` does one of passes and drives."""
    return sample(plan_actions(actions, seconds, generator(seed, "action play", game)), seconds, fps)


def plan_actions(actions: Actions, seconds: float, rng: np.random.Generator) -> ActionPlay:
    """Return a planned half of the twelve actions, whose players follow the ball."""
    place = place_actions(actions, rng)
    time = np.append(actions.time, seconds)
    path = np.vstack([place, place[-1:] if len(place) else PITCH[None] / 2])
    play = ActionPlay(Followers.along(Squad.draw(rng), time, path), rng)
    play.run_actions(actions, place, seconds)
    return play


def sample(play: Play, seconds: float, fps: float) -> Motion:
    """Return a planned half at its frames."""
    grid = np.arange(int(np.ceil(seconds * RATE)) + 1) / RATE
    place = _smooth(_players(play, grid))
    pace = np.linalg.norm(np.diff(place, axis=0, append=place[-1:]), axis=2) * RATE
    stride = np.cumsum(pace, axis=0) / RATE / STRIDE
    time = np.arange(int(seconds * fps)) / fps
    return Motion(_ball(play.ball, time), *(_sample(each, time) for each in (place, stride, pace)))


def _ball(ways: list[Way], time: Array) -> Array:
    """Return the positions of the ball at times (T,), exact at the touches."""
    place, edges = np.empty((len(time), 3)), np.searchsorted(time, [way.time[0] for way in ways]).tolist()
    for way, first, last in zip(ways, edges, [*edges[1:], len(time)], strict=True):
        place[first:last] = way.at(time[first:last])
    return place


def _players(play: Play, time: Array) -> Array:
    """Return everybody's position, (T, P, 2): on planned paths, and between them at his usual position."""
    place = play.squad.at(time)
    for player in range(PLAYERS):
        ways = play.ways[player]
        ends = [-np.inf, *(way.time[-1] for way in ways)]
        starts = [*(way.time[0] for way in ways), np.inf]
        for end, start, before, after in zip(ends, starts, [None, *ways], [*ways, None], strict=True):
            between = slice(*np.searchsorted(time, [end, start]))
            for way, edge, row in ((before, end, -1), (after, start, 0)):
                if way is not None:
                    off = way.place[row] - play.squad.at(np.array(edge))[player]
                    lasts = min(start - end, max(0.8, float(np.linalg.norm(off)) / PACE))
                    left = fall(np.abs(time[between] - edge) / max(lasts, 1e-6))
                    place[between, player] += left[:, None] * off
        for way in ways:
            during = slice(*np.searchsorted(time, [way.time[0], way.time[-1]]))
            place[during, player] = way.at(time[during])
    return place


def _smooth(place: Array) -> Array:
    """Smooth the corners of all paths, (T, P, 2)."""
    reach = int(3 * SMOOTH * RATE)
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (SMOOTH * RATE)) ** 2)
    padded = np.pad(place, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    parts = (share * padded[shift : shift + len(place)] for shift, share in enumerate(weight / weight.sum()))
    return np.asarray(sum(parts))


def _sample(values: Array, time: Array) -> Array:
    """Interpolate between grid points; values (G, ...) at times (T,)."""
    at = np.minimum(time * RATE, len(values) - 1 - 1e-9)
    low = at.astype(int)
    part = (at - low).reshape(-1, *[1] * (values.ndim - 1))
    return values[low] + part * (values[low + 1] - values[low])
