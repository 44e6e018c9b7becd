"""Who plays whom and when in simulated leagues, and what their label files hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from spotter.io.soccernet import game_time

HOMES = ("Northmere", "Eastvale", "Harrowby", "Port Celia", "Ashcombe", "Llanfer", "Castle Orr", "Vimeira Nova")
AWAYS = ("Silverdune", "Brackwater", "Santa Lira", "Kestrel Park", "Oldminster", "Tarnholm", "Belgrava", "Quillan")
ROUNDS = 38


class Fixture(NamedTuple):
    """Name the teams, the day and the season of a match."""

    home: str
    away: str
    day: date
    season: str


def fixture(index: int) -> Fixture:
    """Return the fixture of match ``index``; a season has 38 rounds, one a week."""
    year, week = 2001 + index // ROUNDS, index % ROUNDS
    home, away = HOMES[index % len(HOMES)], AWAYS[(index + index // len(HOMES)) % len(AWAYS)]
    return Fixture(home, away, date(year, 8, 11) + timedelta(weeks=week), f"{year}-{year + 1}")


def annotation(half: int, label: Mapping[str, Any], seconds: float, team: str, visible: bool = True) -> dict[str, Any]:
    """Return one spot as an entry of an official label file.

    label : what names its class, as ``Task.entry_of`` returns it
    """
    milliseconds = round(1000 * seconds)
    return {
        "gameTime": game_time(half, milliseconds),
        **label,
        "position": str(milliseconds),
        "team": team,
        "visibility": "visible" if visible else "not shown",
    }
