"""Simulated passes and drives, drawn by the statistics of real football, and their official label files."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from spotter.simulation.fixtures import annotation, fixture
from spotter.simulation.seeds import generator
from spotter.simulation.video.rates import GAPS, QUANTILES, SHARES, TURNOVER
from spotter.tasks import Task

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


def simulated_match(task: Task, seed: int, index: int, minutes: float) -> tuple[str, bytes]:
    """Draw match ``index`` of ``seed``, whatever other matches there are; return its game and its label file."""
    home, away, day, season = fixture(index)
    game = f"{LEAGUE}/{season}/{day} - {home} - {away}"
    touches = draw_touches(60 * minutes, generator(seed, "video match", index))
    annotations = [
        annotation(1, task.entry_of(PASS if passes else DRIVE), time, SIDES[side])
        for time, passes, side in zip(*touches, strict=True)
    ]
    content = {"UrlLocal": game, "UrlYoutube": "", "halftime": "", "annotations": annotations}
    return game, orjson.dumps(content, option=orjson.OPT_INDENT_2)


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


def read_touches(content: bytes, task: Task) -> Touches:
    """Return the touches in the first half of a label file, by time; other labels are left out."""
    rows = sorted(
        (_seconds(row), task.class_of(row) == PASS, int(row.get("team") == SIDES[1]))
        for row in orjson.loads(content)["annotations"]
        if task.class_of(row) in (PASS, DRIVE) and row["gameTime"].startswith("1")
    )
    time, passes, sides = zip(*rows, strict=True) if rows else ((), (), ())
    return Touches(np.array(time, float), np.array(passes, bool), np.array(sides, np.int64))


def _seconds(row: dict[str, Any]) -> float:
    """Return an annotation's time; as everywhere, ``gameTime`` counts where there is no ``position``."""
    minutes, seconds = row["gameTime"].split(" - ")[1].split(":")
    return int(row["position"]) / 1000 if "position" in row else 60.0 * int(minutes) + int(seconds)
