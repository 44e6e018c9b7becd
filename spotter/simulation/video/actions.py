"""Simulated matches of the twelve ball actions, and what their label files say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotter.simulation.fixtures import Match, fixture
from spotter.simulation.seeds import generator
from spotter.simulation.video.action_transitions import FOLLOWS, GOAL_KICK
from spotter.simulation.video.matches import KICK_OFF, LEAGUE, NO_SPOT, SIDES
from spotter.simulation.video.squad import Array
from spotter.tasks import Task
from spotter.types import Half, Spots

TASK = "ball-2025"
NAMES = Task.load(TASK).classes
KICK_OFFS = "PASS"  # what a match begins with
AT_GOAL = {"SHOT", "CROSS"}  # actions near a goal


class Actions(NamedTuple):
    """Hold the actions of a half as columns, by time: names, seconds, and the side that acts, 0 left or 1 right."""

    name: NDArray[np.str_]
    time: Array
    side: NDArray[np.int64]


def draw_action_match(seed: int, index: int, minutes: float) -> Match:
    """Draw match ``index`` of ``seed``, whatever other matches there are."""
    home, away, day, season = fixture(index)
    game = f"{LEAGUE}/{season}/{day} - {home} - {away}"
    actions = draw_actions(60 * minutes, generator(seed, "action match", index))
    label = np.array([NAMES.index(name) for name in actions.name], np.int64)
    spots = Spots(label, actions.time, np.ones(len(label), bool), np.array(SIDES)[actions.side])
    return Match(game, {Half(game, 1): spots}, {"UrlLocal": game, "UrlYoutube": "", "halftime": ""})


def draw_actions(seconds: float, rng: np.random.Generator) -> Actions:
    """Draw one action after another, each by what may follow the one before."""
    rows: list[tuple[str, float, int]] = []
    name, side, now = KICK_OFFS, int(rng.integers(2)), KICK_OFF * rng.uniform(0.5, 1.5)
    while now < seconds - NO_SPOT:
        rows.append((name, round(now, 3), side))
        options = GOAL_KICK if name == "OUT" and is_at_goal([row[0] for row in rows[-3:-1]]) else FOLLOWS[name]
        name, _, shortest, longest, turnover = options[rng.choice(len(options), p=[each.share for each in options])]
        now += float(np.exp(rng.uniform(np.log(shortest), np.log(longest))))
        side ^= int(rng.random() < turnover)
    names, time, sides = zip(*rows, strict=True) if rows else ((), (), ())
    return Actions(np.array(names, str), np.array(time, float), np.array(sides, np.int64))


def actions_of(spots: Spots) -> Actions:
    """Return the actions that labels say, by time; those without a side count as the left side's."""
    side = np.zeros(len(spots), np.int64) if spots.team is None else (spots.team == SIDES[1]).astype(np.int64)
    order = np.lexsort((side, spots.label, spots.time))
    return Actions(np.array(NAMES)[spots.label[order]], spots.time[order], side[order])


def is_at_goal(before: Sequence[str]) -> bool:
    """Return whether the ball is near a goal by the last actions: a shot, a cross, or a header of a cross."""
    return bool(len(before)) and (before[-1] in AT_GOAL or list(before[-2:]) == ["CROSS", "HEADER"])
