"""Simulated matches: spots drawn by the statistics of real football, and what their label files say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spotter.simulation.features.transitions import BY_HALF, FOLLOWS, NOT_SHOWN, START
from spotter.simulation.fixtures import Match, fixture
from spotter.simulation.seeds import generator
from spotter.tasks import Task
from spotter.types import Half, Spots

LEAGUE = "demoland_first-league"


def draw_match(task: Task, seed: int, index: int, minutes: float) -> Match:
    """Draw match ``index`` of ``seed``, whatever other matches there are.

    A half lasts ``minutes`` and up to a tenth of added time.
    """
    rng = generator(seed, "match", index)
    halves = {number: draw_spots(task, number, 60 * minutes * rng.uniform(1, 1.1), rng) for number in task.halves}
    away = {number: rng.random(len(spots)) < 0.5 for number, spots in halves.items()}
    goals = [away[number][spots.label == task.classes.index("Goal")] for number, spots in halves.items()]
    conceded = sum(int(of_half.sum()) for of_half in goals)
    score = f"{sum(map(len, goals)) - conceded} - {conceded}"
    home, visitors, day, season = fixture(index)
    game = f"{LEAGUE}/{season}/{day} - 16-00 {home} {score} {visitors}"
    labels = {
        Half(game, number): replace(spots, team=np.where(away[number], "away", "home"))
        for number, spots in halves.items()
    }
    about = {
        "UrlYoutube": "",
        "annotations": [],
        "gameAwayTeam": visitors,
        "gameDate": f"{day:%d/%m/%Y} - 16:00",
        "gameHomeTeam": home,
        "gameScore": score,
    }
    return Match(game, labels, about)


def draw_spots(task: Task, number: int, seconds: float, rng: np.random.Generator) -> Spots:
    """Draw one action after another, each by what follows the one before in real matches, and how soon."""
    chain = {name: _next(following, number) for name, following in FOLLOWS.items()}
    label, time, last, now = [], [], START, 0.0
    while True:
        names, probability, median, spread = chain[last]
        choice = rng.choice(len(names), p=probability)
        now += median[choice] * np.exp(spread[choice] * np.clip(rng.standard_normal(), -2, 2))
        if now > seconds - 1:
            break
        last = names[choice]
        label.append(task.classes.index(last))
        time.append(round(now, 3))
    hidden = np.array([NOT_SHOWN.get(name, 0.0) / 100 for name in task.classes])[np.array(label, int)]
    return Spots(np.array(label, np.int64), np.array(time), rng.random(len(label)) >= hidden)


def _next(following: dict[str, tuple[float, float, float]], number: int) -> tuple[list[str], NDArray, NDArray, NDArray]:
    names = list(following)
    weight, median, spread = np.array(list(following.values())).T
    weight = weight * [BY_HALF.get(name, (1, 1))[number - 1] for name in names]
    return names, weight / weight.sum(), median, spread
