"""Answer replays without a network of their own: by spots that were predicted, and by how long replays usually wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.io.cameras import Replays
from spotter.io.grounding import Answers
from spotter.types import HalfPredictions

LONGEST = 120  # seconds before a replay that are searched
SMOOTH = 2.0  # seconds, the deviation by which counts are smoothed


def delay_prior(games: Iterable[Replays]) -> NDArray[np.float64]:
    """Return how usual each delay is, (LONGEST,), a second each, from action to start of the replay; at most 1.

    Raises UserError where there is no replay to learn from.
    """
    delay = np.concatenate([np.empty(0), *(game.start - game.time for game in games)])
    counts = np.bincount(delay[(delay >= 0) & (delay < LONGEST)].astype(np.int64), minlength=LONGEST)
    if not counts.any():
        raise UserError("no replay of the training split has a known action before it: there are no delays to learn")
    second = np.arange(LONGEST)
    smooth = np.exp(-0.5 * ((second[:, None] - second) / SMOOTH) ** 2) @ counts
    return smooth / smooth.max()


def answer_by_spots(
    replays: Sequence[tuple[int, int, int]], spots: Mapping[int, HalfPredictions], prior: NDArray[np.float64]
) -> Answers:
    """Return every spot before each replay as an answer to it; its score is its confidence times the prior.

    replays : half, start and end of each
    spots : of a game by half; of equal whole seconds each stays, for the metric suppresses
    """
    time, score = [], []
    for half, start, _ in replays:
        found = spots.get(half, HalfPredictions.empty()).between(start - LONGEST + 1, start)
        time.append(found.time)
        score.append(found.confidence * prior[np.clip(start - found.time, 0, LONGEST - 1).astype(np.int64)])
    halves, starts, ends = np.array(replays, np.int64).reshape(-1, 3).T
    return Answers(
        halves,
        starts,
        ends,
        np.repeat(np.arange(len(replays)), [len(each) for each in time]),
        np.concatenate([np.empty(0), *time]),
        np.concatenate([np.empty(0), *score]),
    )
