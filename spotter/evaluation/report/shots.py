"""Camera shots for the timeline: where each begins and ends, from which camera, and what is known of replays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spotter.io.cameras import CameraShots
from spotter.io.grounding import Answers
from spotter.types import Half

MOST_ANSWERS = 5  # to a replay, the best


@dataclass(frozen=True, slots=True, eq=False)
class Broadcast:
    """Hold the camera shots of games, and answers to their replays, where there are any."""

    shots: Mapping[str, CameraShots]
    answers: Mapping[str, Answers]


def describe_shots(broadcast: Broadcast | None, halves: Sequence[Half]) -> list[list[dict[str, Any]]]:
    """Return the shots of each half: ``from`` and ``to`` in milliseconds, ``camera``, and of a replay more.

    Of a replay there is ``replay``, ``action`` in milliseconds or None, and ``answers``, the best as [time, score].
    """
    if broadcast is None:
        return [[] for _ in halves]
    return [_of_half(broadcast, half) for half in halves]


def _of_half(broadcast: Broadcast, half: Half) -> list[dict[str, Any]]:
    shots, answers = broadcast.shots.get(half.game), broadcast.answers.get(half.game)
    if shots is None:
        return []
    start, found = shots.start, []
    for row in np.flatnonzero(shots.half == half.number).tolist():
        shot = {"from": 1000 * int(start[row]), "to": 1000 * int(shots.end[row]), "camera": str(shots.camera[row])}
        if shots.replayed[row]:
            known = shots.linked[row] and shots.action_half[row] == half.number
            shot["replay"], shot["action"] = True, round(1000 * float(shots.action_time[row])) if known else None
            shot["answers"] = [] if answers is None else _answers(answers, half.number, int(shots.end[row]))
        found.append(shot)
    return found


def _answers(answers: Answers, half: int, end: int) -> list[list[float]]:
    """Return the best answers to the replay that ends in a second."""
    replays = np.flatnonzero((answers.half == half) & (answers.end == end))
    rows = np.flatnonzero(np.isin(answers.replay, replays[:1]))
    best = rows[np.argsort(-answers.score[rows], kind="stable")][:MOST_ANSWERS]
    return [[round(1000 * float(answers.time[row])), round(float(answers.score[row]), 4)] for row in best]
