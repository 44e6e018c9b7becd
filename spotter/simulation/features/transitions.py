"""How often actions follow each other in real football: counted over 800 halves of SoccerNet-v2."""

from __future__ import annotations

START = "START"

# fmt: off
# After each class: what comes next, its frequency in percent, the median gap in seconds, the spread of its logarithm.
FOLLOWS: dict[str, dict[str, tuple[float, float, float]]] = {
    "Penalty": {
        "Shots on target": (72.7, 0.3, 0.2), "Goal": (11.4, 0.5, 0.8), "Shots off target": (9.1, 0.3, 1.5),
        "Ball out of play": (4.5, 4.0, 1.1),
    },
    "Kick-off": {
        "Ball out of play": (54.6, 26.5, 1.0), "Foul": (24.2, 27.4, 0.9), "Shots on target": (7.3, 41.5, 0.8),
        "Shots off target": (5.7, 46.3, 0.7), "Offside": (3.7, 33.0, 0.7), "Substitution": (3.5, 0.3, 2.1),
    },
    "Goal": {
        "Kick-off": (85.8, 54.0, 0.2), "Substitution": (7.8, 61.2, 0.4), "Goal": (2.2, 0.3, 0.4),
        "Shots on target": (1.7, 0.3, 1.3), "Yellow card": (1.4, 37.6, 0.6), "Ball out of play": (0.4, 68.3, 0.2),
    },
    "Substitution": {
        "Throw-in": (26.2, 10.6, 0.5), "Clearance": (18.3, 12.3, 0.5), "Indirect free-kick": (18.3, 11.0, 0.7),
        "Substitution": (12.1, 13.7, 1.5), "Kick-off": (7.5, 6.4, 1.6), "Ball out of play": (5.5, 34.4, 0.9),
        "Corner": (4.6, 13.8, 0.4), "Direct free-kick": (2.6, 16.5, 0.5), "Foul": (2.4, 33.2, 0.9),
        "Shots on target": (1.1, 50.9, 0.8), "Shots off target": (0.7, 46.8, 0.5), "Offside": (0.4, 47.4, 0.5),
    },
    "Offside": {
        "Indirect free-kick": (82.3, 19.3, 0.6), "Substitution": (4.9, 33.3, 0.4),
        "Ball out of play": (4.7, 52.4, 1.2), "Foul": (2.4, 46.5, 0.6), "Clearance": (1.9, 25.4, 0.3),
        "Shots on target": (1.4, 34.4, 2.0), "Shots off target": (1.0, 45.2, 2.0),
        "Yellow card": (0.6, 17.0, 0.7),
    },
    "Shots on target": {
        "Ball out of play": (40.7, 8.1, 1.7), "Goal": (25.2, 0.6, 0.5), "Foul": (11.2, 26.5, 1.2),
        "Shots on target": (7.8, 15.8, 1.6), "Shots off target": (6.3, 16.7, 1.5),
        "Direct free-kick": (4.3, 0.3, 0.0), "Offside": (2.8, 19.2, 1.6), "Clearance": (0.4, 18.8, 0.6),
        "Corner": (0.4, 26.2, 1.5),
    },
    "Shots off target": {
        "Ball out of play": (82.7, 1.1, 0.9), "Clearance": (4.4, 24.6, 0.6), "Direct free-kick": (4.4, 0.3, 0.0),
        "Foul": (3.1, 21.4, 1.4), "Shots on target": (1.9, 8.1, 1.5), "Shots off target": (1.8, 14.0, 1.6),
        "Offside": (0.9, 12.1, 1.7),
    },
    "Clearance": {
        "Ball out of play": (53.2, 22.9, 1.0), "Foul": (25.4, 19.5, 1.0), "Shots on target": (9.0, 36.8, 0.7),
        "Shots off target": (7.5, 33.3, 0.7), "Offside": (3.5, 29.7, 0.8), "Throw-in": (0.4, 12.1, 0.9),
    },
    "Ball out of play": {
        "Throw-in": (57.0, 9.7, 0.7), "Clearance": (21.8, 23.1, 0.5), "Corner": (14.6, 24.9, 0.4),
        "Substitution": (4.4, 29.2, 0.5), "Ball out of play": (0.6, 32.6, 1.4), "Yellow card": (0.5, 13.1, 0.8),
    },
    "Throw-in": {
        "Ball out of play": (54.4, 21.3, 1.1), "Foul": (23.0, 21.4, 1.1), "Shots on target": (9.2, 30.2, 0.9),
        "Shots off target": (8.4, 30.2, 0.9), "Offside": (3.9, 25.8, 0.9),
    },
    "Foul": {
        "Indirect free-kick": (60.1, 16.7, 0.7), "Yellow card": (14.9, 7.2, 0.7),
        "Direct free-kick": (11.4, 37.7, 0.7), "Substitution": (3.7, 31.5, 0.5),
        "Ball out of play": (3.1, 33.1, 1.7), "Shots on target": (1.9, 57.9, 0.6),
        "Shots off target": (1.7, 58.8, 0.8), "Foul": (1.1, 41.7, 1.8), "Penalty": (0.6, 53.9, 0.3),
        "Red card": (0.4, 6.7, 0.5),
    },
    "Indirect free-kick": {
        "Ball out of play": (51.9, 23.7, 1.0), "Foul": (23.7, 23.1, 1.0), "Shots on target": (10.4, 30.5, 0.9),
        "Shots off target": (8.8, 30.9, 1.0), "Offside": (4.3, 19.5, 1.1),
    },
    "Direct free-kick": {
        "Ball out of play": (49.3, 7.5, 1.5), "Foul": (15.7, 18.6, 1.4), "Shots off target": (13.2, 2.8, 1.7),
        "Shots on target": (12.6, 3.9, 1.7), "Offside": (4.7, 11.8, 1.5), "Goal": (2.9, 1.0, 1.0),
        "Clearance": (0.6, 26.7, 0.6),
    },
    "Corner": {
        "Ball out of play": (44.3, 12.6, 1.2), "Shots off target": (19.2, 3.8, 1.2),
        "Shots on target": (16.0, 6.3, 1.3), "Foul": (15.9, 14.9, 1.4), "Offside": (3.7, 16.7, 1.0),
        "Goal": (0.4, 9.2, 1.0),
    },
    "Yellow card": {
        "Indirect free-kick": (46.8, 27.7, 0.6), "Direct free-kick": (18.8, 43.3, 0.4),
        "Substitution": (7.4, 35.9, 0.7), "Shots on target": (4.4, 60.5, 0.3), "Yellow card": (3.8, 2.4, 1.8),
        "Shots off target": (3.6, 60.8, 0.3), "Penalty": (3.3, 52.0, 0.4), "Clearance": (2.8, 28.5, 0.6),
        "Ball out of play": (2.8, 43.1, 0.6), "Throw-in": (2.6, 13.9, 0.8), "Corner": (1.1, 24.1, 0.5),
        "Kick-off": (0.9, 28.5, 1.4), "Foul": (0.9, 41.6, 0.9), "Yellow->red card": (0.4, 2.4, 0.4),
    },
    "Red card": {
        "Indirect free-kick": (37.8, 73.0, 0.4), "Penalty": (17.8, 57.3, 0.2), "Substitution": (11.1, 89.3, 0.6),
        "Shots off target": (8.9, 89.9, 0.2), "Yellow card": (8.9, 29.5, 0.7),
        "Shots on target": (6.7, 96.4, 0.3),
    },
    "Yellow->red card": {
        "Indirect free-kick": (48.3, 49.1, 0.3), "Direct free-kick": (13.8, 55.3, 0.1),
        "Penalty": (10.3, 86.8, 0.1), "Shots on target": (10.3, 75.4, 0.2),
    },
    "START": {
        "Kick-off": (91.1, 0.3, 0.7), "Substitution": (8.5, 0.3, 0.3),
    },
}

# Percent of a class's spots that the broadcast does not show.
NOT_SHOWN = {
    "Kick-off": 73.3, "Clearance": 55.1, "Indirect free-kick": 45.8, "Throw-in": 29.1, "Substitution": 17.6,
    "Corner": 12.7, "Direct free-kick": 12.1, "Yellow card": 9.3, "Offside": 5.5, "Ball out of play": 4.3,
    "Red card": 2.1, "Foul": 2.0, "Shots on target": 0.3, "Shots off target": 0.3, "Goal": 0.1,
}

# What the first and the second half hold of a class, relative to the mean of both; 1 where not listed.
BY_HALF = {
    "Penalty": (0.7, 1.3), "Goal": (0.8, 1.2), "Substitution": (0.1, 1.9), "Yellow card": (0.7, 1.3),
    "Red card": (0.5, 1.5), "Yellow->red card": (0.0, 2.0),
}
# fmt: on
