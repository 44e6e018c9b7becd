"""Who plays whom and when in simulated leagues."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

from spotter.types import Half, Spots

HOMES = ("Northmere", "Eastvale", "Harrowby", "Port Celia", "Ashcombe", "Llanfer", "Castle Orr", "Vimeira Nova")
AWAYS = ("Silverdune", "Brackwater", "Santa Lira", "Kestrel Park", "Oldminster", "Tarnholm", "Belgrava", "Quillan")
ROUNDS = 38


class Fixture(NamedTuple):
    """Name the teams, the day and the season of a match."""

    home: str
    away: str
    day: date
    season: str


class Match(NamedTuple):
    """Hold what is drawn of a match.

    game : ``league/season/match``
    labels : the spots of its halves
    about : what else its label file says, see ``SoccerNet.write``
    """

    game: str
    labels: dict[Half, Spots]
    about: dict[str, Any]


def fixture(index: int) -> Fixture:
    """Return the fixture of match ``index``; a season has 38 rounds, one a week."""
    year, week = 2001 + index // ROUNDS, index % ROUNDS
    home, away = HOMES[index % len(HOMES)], AWAYS[(index + index // len(HOMES)) % len(AWAYS)]
    return Fixture(home, away, date(year, 8, 11) + timedelta(weeks=week), f"{year}-{year + 1}")
