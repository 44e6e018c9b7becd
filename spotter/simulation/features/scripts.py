"""What a broadcast shows around each action: concepts, and scripts that say which of them appear when.

Most concepts belong to several classes and appear by themselves as well. What tells the class often lies seconds away
from what tells the moment, so that one frame does not say both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Script:
    """Describe what surrounds a spot: parts (concept, from, to, strength), in seconds; and how often it is replayed."""

    parts: tuple[tuple[str, float, float, float], ...]
    replayed: float = 0.0


# fmt: off
# How often each concept appears by itself per hour, for how many seconds, and how strongly.
CONCEPTS: dict[str, tuple[float, float, float]] = {
    # moments
    "ball struck": (180, 0.6, 2.8), "ball in the air": (90, 2, 1.6), "whistle": (40, 0.8, 2.6), "duel": (90, 1.2, 2),
    "ball crosses line": (45, 0.6, 2.8), "keeper acts": (30, 1, 2.4), "flag up": (8, 2.5, 1.6),
    "card up": (4, 1.2, 2.6), "thrown with hands": (30, 0.8, 2.8), "net moves": (5, 1, 2.6),
    "arms raised": (20, 2, 1.2),
    # where the ball is
    "final third": (20, 8, 1), "penalty area full": (9, 6, 1), "own six-yard box": (9, 6, 1),
    "midfield": (30, 10, 1), "near touchline": (30, 6, 1), "corner quadrant": (5, 5, 1), "centre circle": (4, 6, 1),
    "behind the goal": (6, 3, 1),
    # what players and referees do
    "ball at rest": (15, 5, 1), "ball in hands": (8, 4, 1), "players stand": (18, 7, 1), "players run": (40, 6, 1),
    "man down": (8, 6, 1), "referee runs": (10, 3, 1), "referee close": (5, 4, 1), "protest": (8, 5, 1),
    "wall forms": (1, 6, 1), "line before area": (1, 6, 1), "celebration": (1, 8, 1), "disappointment": (8, 4, 1),
    "walk off": (3, 7, 1), "fourth official": (3, 5, 1), "dugout": (10, 5, 1),
    # what the direction does
    "close-up": (30, 5, 1), "crowd": (10, 5, 1), "caption": (6, 7, 1), "replay": (8, 9, 1), "wide view": (20, 12, 1),
}

SCRIPTS: dict[str, Script] = {
    "Penalty": Script((
        ("players stand", -25, -2, 0.7), ("line before area", -14, -3, 1.2), ("ball at rest", -14, -2, 1),
        ("referee close", -22, -15, 0.8), ("close-up", -9, -4, 1), ("ball struck", -0.2, 0.5, 1.1),
        ("keeper acts", 0.4, 1.4, 1), ("players run", 2, 4, 1),
    ), replayed=0.9),
    "Kick-off": Script((
        ("centre circle", -9, -2.5, 1.2), ("players stand", -8, -1.5, 0.8), ("whistle", -0.8, 0, 1),
        ("ball struck", -0.1, 0.5, 0.9), ("midfield", 2, 12, 1), ("wide view", 2, 14, 0.8),
    )),
    "Goal": Script((
        ("final third", -10, -2, 0.9), ("ball struck", -1.2, -0.5, 0.7), ("net moves", -0.3, 0.8, 1.2),
        ("arms raised", 2, 5, 1), ("celebration", 3, 20, 1.3), ("crowd", 8, 16, 1), ("caption", 14, 24, 1),
    ), replayed=0.95),
    "Substitution": Script((
        ("fourth official", -16, -5, 1.1), ("dugout", -20, -12, 0.8), ("walk off", -9, -2, 1.1),
        ("near touchline", -6, 4, 0.7), ("close-up", 2, 6, 0.9), ("caption", 3, 12, 1.1),
        ("arms raised", -1, 1, 0.8),
    )),
    "Offside": Script((
        ("players run", -6, -1.5, 0.9), ("ball in the air", -3, -1.5, 0.9), ("final third", -5, 1, 0.7),
        ("flag up", 2.5, 5, 1), ("whistle", 1, 1.8, 1), ("protest", 4, 9, 0.8),
    ), replayed=0.5),
    "Shots on target": Script((
        ("final third", -9, -2.5, 1), ("duel", -3, -1.5, 0.5), ("ball struck", -0.3, 0.4, 1.1),
        ("keeper acts", 0.5, 1.6, 1), ("disappointment", 3.5, 8, 1), ("crowd", 7, 12, 0.7),
    ), replayed=0.6),
    "Shots off target": Script((
        ("final third", -9, -2.5, 1), ("duel", -3, -1.5, 0.5), ("ball struck", -0.3, 0.4, 1.1),
        ("behind the goal", 2.5, 5.5, 1.2), ("disappointment", 3, 8, 1.1), ("close-up", 4, 9, 0.7),
    ), replayed=0.5),
    "Clearance": Script((
        ("own six-yard box", -9, -2, 1.1), ("ball at rest", -6, -2, 0.9), ("players run", -5, -2, 0.6),
        ("ball struck", -0.2, 0.5, 1), ("ball in the air", 2, 4.5, 1), ("midfield", 3, 9, 1),
    )),
    "Ball out of play": Script((
        ("players run", -7, -2, 0.8), ("duel", -2.5, -1, 0.4), ("ball crosses line", -0.3, 0.4, 1.1),
        ("players stand", 2.5, 8, 0.9), ("arms raised", 2, 4, 0.6), ("near touchline", 2, 7, 0.6),
    ), replayed=0.05),
    "Throw-in": Script((
        ("near touchline", -8, -1.5, 0.9), ("ball in hands", -6, -2, 1.1), ("thrown with hands", -0.3, 0.4, 1.1),
        ("players run", 2, 6, 0.7), ("wide view", 2, 8, 0.6),
    )),
    "Foul": Script((
        ("players run", -5, -2, 0.7), ("duel", -1, 0.3, 1.1), ("whistle", 0.6, 1.4, 1.1), ("man down", 2.5, 9, 1.1),
        ("protest", 3, 8, 0.8), ("referee runs", 2, 5, 0.8), ("close-up", 5, 11, 0.8),
    ), replayed=0.35),
    "Indirect free-kick": Script((
        ("ball at rest", -7, -2, 1), ("midfield", -8, -2, 0.8), ("man down", -16, -9, 0.6),
        ("ball struck", -0.2, 0.4, 0.8), ("players run", 2, 6, 0.7), ("wide view", 2.5, 9, 0.8),
    )),
    "Direct free-kick": Script((
        ("wall forms", -14, -3, 1.2), ("ball at rest", -9, -2, 1), ("players stand", -10, -2, 0.8),
        ("referee runs", -14, -8, 0.7), ("ball struck", -0.2, 0.5, 1), ("penalty area full", 1.2, 4, 1),
    ), replayed=0.3),
    "Corner": Script((
        ("corner quadrant", -10, -2, 1.2), ("penalty area full", -7, -1.5, 1), ("ball at rest", -5, -2, 0.7),
        ("ball struck", -0.2, 0.5, 0.9), ("ball in the air", 2, 3.5, 1), ("penalty area full", 2, 5, 0.9),
    )),
    "Yellow card": Script((
        ("referee close", -6, -2, 1), ("protest", -7, -2, 0.8), ("man down", -12, -6, 0.7),
        ("card up", -0.4, 1, 1.1), ("close-up", 2.5, 7, 1), ("caption", 5, 12, 0.9),
    ), replayed=0.3),
    "Red card": Script((
        ("referee close", -6, -2, 1), ("protest", -8, 8, 1.2), ("card up", -0.4, 1, 1.1), ("walk off", 4, 20, 1.2),
        ("crowd", 3, 8, 0.9), ("caption", 8, 16, 0.9),
    ), replayed=0.7),
    "Yellow->red card": Script((
        ("referee close", -8, -2, 1), ("card up", -4.5, -3, 1.1), ("card up", -0.4, 1, 1.1),
        ("walk off", 4, 20, 1.2), ("protest", 2, 8, 1.1), ("caption", 8, 16, 0.9),
    ), replayed=0.7),
}
# fmt: on
