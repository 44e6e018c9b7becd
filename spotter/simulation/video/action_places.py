"""Where on the pitch each of the twelve ball actions happens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spotter.simulation.video.actions import AT_GOAL, Actions, is_at_goal
from spotter.simulation.video.squad import PITCH, Array

FASTEST = {"DRIVE": 5.0}  # metres per second of the ball after an action; of others:
FLIGHT = 20.0
BEYOND = 0.9  # metres beyond a line at which the ball is out
STOPPED = 1.0  # seconds after which the ball lies still before a free kick
WANDER = 9.0  # metres by which play strays from the straight way between two places


def place_actions(actions: Actions, rng: np.random.Generator) -> Array:
    """Return where each action happens, (N, 2) metres: shots near a goal, outs beyond a line, others on the way there.

    The left side plays to the right. Where the ball could not be so soon, the action before moves.
    """
    place = np.full((len(actions.name), 2), np.nan)
    for index in range(len(place)):
        _fix(place, index, actions, rng)
    fixed = ~np.isnan(place[:, 0])
    known, times = np.vstack([PITCH / 2, place[fixed]]), np.append(0.0, actions.time[fixed])
    free = np.column_stack([np.interp(actions.time[~fixed], times, axis) for axis in known.T])
    free += WANDER * rng.standard_normal(free.shape)
    place[~fixed] = np.clip(free, 2.0, PITCH - 2.0)
    _keep_pace(place, fixed, actions)
    return place


def _fix(place: Array, index: int, actions: Actions, rng: np.random.Generator) -> None:
    """Set the place of an action that has its own, which can depend on those before."""
    name, before = actions.name[index], actions.name[index - 1] if index else ""
    last = place[index - 1] if index else np.full(2, np.nan)
    ahead, line = _ahead(int(actions.side[index]))
    own, middle = PITCH[0] - line, PITCH[1] / 2
    if name == "THROW IN" and before == "OUT":
        place[index] = np.clip(last, 0.0, PITCH)
    elif before == "OUT":  # a goal kick
        place[index] = own + 5.5 * ahead, middle + rng.uniform(-6, 6)
    elif before == "GOAL":
        place[index] = PITCH / 2
    elif name == "BALL PLAYER BLOCK" and before in AT_GOAL:
        way = np.array([_ahead(int(actions.side[index - 1]))[1], middle]) - last
        place[index] = last + rng.uniform(2.5, 5.0) * way / max(1.0, float(np.linalg.norm(way)))
    elif name == "PASS" and before == "SHOT":  # the keeper has it
        place[index] = own + 5.0 * ahead, middle + rng.uniform(-4, 4)
    elif name == "GOAL":
        place[index] = line + ahead, middle + rng.uniform(-3.2, 3.2)
    elif name == "OUT" and is_at_goal(actions.name[max(0, index - 2) : index].tolist()):
        place[index] = (0.0 if last[0] < PITCH[0] / 2 else PITCH[0]), middle + rng.choice([-1, 1]) * rng.uniform(5, 14)
        place[index, 0] += np.sign(last[0] - PITCH[0] / 2) * BEYOND
    elif name == "OUT":
        place[index] = _where_out(index, actions, rng), rng.choice([-BEYOND, PITCH[1] + BEYOND])
    elif name == "CROSS":
        place[index] = line - ahead * rng.uniform(4, 16), middle + rng.choice([-1, 1]) * rng.uniform(24, 31)
    elif name == "SHOT":
        place[index] = line - ahead * rng.uniform(9, 20), middle + np.clip(rng.normal(0, 6), -15, 15)
    elif before == "CROSS":
        near, out = (line, -ahead) if actions.side[index] == actions.side[index - 1] else (own, ahead)
        place[index] = near + out * rng.uniform(5, 11), middle + rng.normal(0, 4)


def _ahead(side: int) -> tuple[int, float]:
    """Return the direction that a side plays in, and the goal line it plays to."""
    return (1, float(PITCH[0])) if side == 0 else (-1, 0.0)


def _where_out(index: int, actions: Actions, rng: np.random.Generator) -> float:
    """Return where along a side line the ball goes out: near enough to the next shot or cross."""
    later = [at for at in range(index + 1, len(actions.name)) if actions.name[at] in AT_GOAL][:1]
    if not later:
        return float(rng.uniform(15, PITCH[0] - 15))
    ahead, line = _ahead(int(actions.side[later[0]]))
    seconds = actions.time[later[0]] - actions.time[index + 1]
    return float(np.clip(line - ahead * (10 + rng.uniform(0, 6) * seconds), 4, PITCH[0] - 4))


def _keep_pace(place: Array, fixed: NDArray[np.bool_], actions: Actions) -> None:
    """Move places so near to those before and after that the ball gets from one to the next in time, in place."""
    last = len(place) - 1
    for index, other in [(at, at + 1) for at in range(last - 1, -1, -1)] + [(at + 1, at) for at in range(last)]:
        first = min(index, other)
        gap = actions.time[first + 1] - actions.time[first]
        if actions.name[first + 1] == "FREE KICK":
            gap = min(gap, STOPPED)
        reach = gap * FASTEST.get(actions.name[first], FLIGHT)
        way = place[index] - place[other]
        far = float(np.linalg.norm(way))
        if far > reach and not fixed[index]:
            place[index] = np.clip(place[other] + way * reach / far, 0.5, PITCH - 0.5)
