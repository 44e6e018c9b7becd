"""Simulated passes and drives, drawn by the statistics of real football, and what their label files say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotter.simulation.fixtures import Match, fixture
from spotter.simulation.seeds import generator
from spotter.simulation.video.transitions import GAPS, QUANTILES, SHARES, TURNOVER
from spotter.types import Half, Spots

LEAGUE = "demoland_second-league"
SIDES = ("left", "right")
KICK_OFF = 1.0  # seconds until the first pass, on average
NO_SPOT = 2.0  # seconds without a spot at the end
PASS, DRIVE = range(2)  # classes of ball-2023


class Touches(NamedTuple):
    """Hold the touches of the ball as columns, by time: seconds, whether a pass (else a drive), and the side."""

    time: NDArray[np.float64]
    passes: NDArray[np.bool_]
    side: NDArray[np.int64]


def draw_match(seed: int, index: int, minutes: float) -> Match:
    """Draw match ``index`` of ``seed``, whatever other matches there are."""
    home, away, day, season = fixture(index)
    game = f"{LEAGUE}/{season}/{day} - {home} - {away}"
    touches = draw_touches(60 * minutes, generator(seed, "video match", index))
    label, team = np.where(touches.passes, PASS, DRIVE), np.array(SIDES)[touches.side]
    spots = Spots(label, touches.time, np.ones(len(label), bool), team)
    return Match(game, {Half(game, 1): spots}, {"UrlLocal": game, "UrlYoutube": "", "halftime": ""})


def draw_touches(seconds: float, rng: np.random.Generator) -> Touches:
    """Draw one touch after another, each by what follows the one before in real matches, and how soon."""
    rows, last, side, now = [], "PASS", int(rng.integers(2)), KICK_OFF * rng.uniform(0.5, 1.5)
    while now < seconds - NO_SPOT:
        rows.append((round(now, 3), last == "PASS", side))
        names = list(SHARES[last])
        following = names[rng.choice(len(names), p=list(SHARES[last].values()))]
        now += float(np.exp(np.interp(rng.random(), QUANTILES, np.log(GAPS[last, following]))))
        side ^= int(rng.random() < TURNOVER[last, following])
        last = following
    time, passes, sides = zip(*rows, strict=True) if rows else ((), (), ())
    return Touches(np.array(time, float), np.array(passes, bool), np.array(sides, np.int64))


def touches_of(spots: Spots) -> Touches:
    """Return the touches that labels say, by time."""
    passes = spots.label == PASS
    side = np.zeros(len(spots), np.int64) if spots.team is None else (spots.team == SIDES[1]).astype(np.int64)
    order = np.lexsort((side, passes, spots.time))
    return Touches(spots.time[order], passes[order], side[order])
