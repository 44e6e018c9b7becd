"""What may follow each of the twelve ball actions, how soon, by whom; rare ones come more often than in reality."""

from __future__ import annotations

from typing import NamedTuple


class Next(NamedTuple):
    """Hold what may follow an action: its share, the seconds until then, and how often the other side does it."""

    name: str
    share: float
    shortest: float
    longest: float
    turnover: float


# fmt: off
FOLLOWS = {
    "PASS": (
        Next("DRIVE", 0.5, 0.7, 2.5, 0.1), Next("PASS", 0.26, 0.9, 3, 0.1), Next("HIGH PASS", 0.06, 1, 3, 0.1),
        Next("OUT", 0.05, 0.8, 2, 0), Next("BALL PLAYER BLOCK", 0.04, 0.35, 0.8, 1),
        Next("CROSS", 0.05, 1, 2.5, 0), Next("SHOT", 0.04, 1, 2.5, 0),
    ),
    "DRIVE": (
        Next("PASS", 0.56, 0.8, 3, 0), Next("HIGH PASS", 0.1, 0.8, 3, 0), Next("CROSS", 0.07, 1, 3, 0),
        Next("SHOT", 0.07, 0.8, 3, 0), Next("PLAYER SUCCESSFUL TACKLE", 0.13, 0.8, 2.5, 1),
        Next("OUT", 0.02, 0.8, 2, 0), Next("FREE KICK", 0.05, 4, 8, 0),
    ),
    "HIGH PASS": (
        Next("HEADER", 0.45, 1.2, 2.4, 0.5), Next("DRIVE", 0.3, 1.4, 2.6, 0.2), Next("OUT", 0.15, 1.4, 2.2, 0),
        Next("PASS", 0.1, 1.6, 3, 0.2),
    ),
    "CROSS": (
        Next("HEADER", 0.5, 0.9, 1.6, 0.5), Next("SHOT", 0.2, 0.9, 1.6, 0), Next("OUT", 0.18, 1, 1.6, 0),
        Next("BALL PLAYER BLOCK", 0.12, 0.3, 0.6, 1),
    ),
    "HEADER": (
        Next("DRIVE", 0.45, 0.7, 1.8, 0.3), Next("PASS", 0.3, 0.8, 2, 0.3), Next("OUT", 0.13, 0.8, 1.6, 0),
        Next("HEADER", 0.06, 0.7, 1.3, 0.6), Next("SHOT", 0.06, 0.8, 1.5, 0),
    ),
    "THROW IN": (
        Next("PASS", 0.4, 0.8, 1.8, 0.05), Next("DRIVE", 0.4, 0.8, 1.6, 0.1),
        Next("HEADER", 0.2, 0.8, 1.3, 0.3),
    ),
    "SHOT": (
        Next("GOAL", 0.25, 0.5, 1, 0), Next("OUT", 0.33, 0.6, 1.1, 0), Next("PASS", 0.17, 2.5, 4.5, 1),
        Next("BALL PLAYER BLOCK", 0.25, 0.3, 0.6, 1),
    ),
    "BALL PLAYER BLOCK": (
        Next("DRIVE", 0.5, 0.6, 1.6, 0.5), Next("PASS", 0.4, 0.7, 1.8, 0.4), Next("SHOT", 0.1, 0.8, 1.6, 1),
    ),
    "PLAYER SUCCESSFUL TACKLE": (
        Next("DRIVE", 0.5, 0.5, 1.5, 0), Next("PASS", 0.5, 0.6, 1.8, 0),
    ),
    "FREE KICK": (
        Next("PASS", 0.4, 1, 2.5, 0.1), Next("DRIVE", 0.25, 1, 2.5, 0.1), Next("HEADER", 0.35, 1.1, 2, 0.5),
    ),
    "GOAL": (
        Next("PASS", 1, 9, 14, 1),
    ),
    "OUT": (
        Next("THROW IN", 1, 4, 9, 1),
    ),
}
GOAL_KICK = (  # after a shot or cross that went out
    Next("HIGH PASS", 0.6, 6, 10, 1), Next("PASS", 0.4, 6, 10, 1),
)
# fmt: on
