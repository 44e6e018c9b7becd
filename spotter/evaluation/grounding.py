"""Average-AP of replay grounding, equal to the official evaluator, and what it comes to with unanswered replays.

The official figure drops labelled replays that are not answered, and answers to what is no labelled replay. The
second figure counts unanswered replays as misses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.evaluation.average_map import SECONDS, TOLERANCES, average_tolerances, interpolate_precision
from spotter.evaluation.columns import count_thresholds
from spotter.evaluation.events import reaching
from spotter.io.cameras import CameraShots, find_replays, read_cameras
from spotter.io.grounding import Answers, read_answers
from spotter.io.splits import check_split, load_splits
from spotter.io.trees import find_games
from spotter.tasks import Task
from spotter.types import METRIC_THRESHOLDS, Metrics

FRAMES = 7000  # of a half, as officially: two a second
APART = 2 * FRAMES  # between replays on the common axis
SETS = ("tight", "loose")

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """Hold the replays that the metric sees, and all answers to them on one axis, where replays lie far apart.

    truth : (P,) position of each replay's action
    position : (D,) of each answer, ascending
    score : (D,)
    replays : labelled ones, answered or not
    unanswered : of them, those that no prediction answers
    """

    truth: Ints
    position: Ints
    score: Floats
    replays: int
    unanswered: int


def evaluate_grounding(labels: str | Path, predictions: str | Path, task: Task, split: str | None = None) -> Metrics:
    """Return ``tight`` and ``loose`` average-AP as fractions, officially and with unanswered replays, and counts.

    labels, predictions : folders, zips or single files
    split : by default every game of ``labels``

    Raises UserError for a missing or malformed file.
    """
    games = load_splits(task, labels)[check_split(split)] if split else find_games(labels, task.label_file)
    if not games:
        raise UserError(f"{labels}: holds no {task.label_file}: give the camera labels of SoccerNet-v2")
    shots = read_cameras(labels, games, task)
    found = pair(shots, read_answers(predictions, games))
    return {**grounding_scores(found), "games": len(games), "task": task.name, "split": split}


def grounding_scores(found: Answered) -> dict[str, Any]:
    """Return the scores of ``evaluate_grounding`` for replays that are paired."""
    answered = len(found.truth)
    true, detections = (np.stack(each) for each in zip(*(_curves(found, delta) for delta in SECONDS), strict=True))
    metrics: dict[str, Any] = {}
    for name in SETS:
        rows = [SECONDS.index(delta) for delta in TOLERANCES[name]]
        official, of_all = (
            interpolate_precision(true[rows], detections[rows], np.full(len(rows), count, np.float64))
            for count in (answered, answered + found.unanswered)
        )
        metrics[name] = {
            "average_ap": float(average_tolerances(official)),
            "average_ap_all": float(average_tolerances(of_all)),
            "per_tolerance": dict(zip(map(str, TOLERANCES[name]), official.tolist(), strict=True)),
        }
    return {**metrics, "replays": found.replays, "answered": found.replays - found.unanswered}


def pair(labels: Mapping[str, CameraShots], answers: Mapping[str, Answers]) -> Answered:
    """Pair predicted replays with labelled ones by the second in which they end, as officially.

    A predicted replay takes the first shot that ends in its second and links to an action of its half; the half of the
    shot itself does not count. Raises UserError for times that the official evaluator has no room for.
    """
    truth: list[int] = []
    position, score = [], []
    labelled = find_replays(labels)
    replays, unanswered, remembered = 0, 0, -1
    for game, shots in labels.items():
        given, taken = answers[game], set[int]()
        frame = _frames(given.time, game)
        for replay, (half, end) in enumerate(zip(given.half.tolist(), given.end.tolist(), strict=True)):
            row, remembered = _partner(shots, half, end, remembered)
            if row is None:
                continue
            mine, base = given.replay == replay, len(truth) * APART
            cells = np.full(FRAMES, -1.0)
            cells[frame[mine]] = given.score[mine]  # of equal frames the last
            truth.append(base + _frames(shots.action_second[row : row + 1].astype(np.float64), game)[0])
            position.append(base + np.flatnonzero(cells >= 0))
            score.append(cells[cells >= 0])
            taken.add(row)
        replays += len(labelled[game])
        unanswered += len(set(labelled[game].row.tolist()) - taken)
    return Answered(
        np.array(truth, np.int64),
        np.concatenate([np.empty(0, np.int64), *position]),
        np.concatenate([np.empty(0), *score]),
        replays,
        unanswered,
    )


def _partner(shots: CameraShots, half: int, end: int, remembered: int) -> tuple[int | None, int]:
    """Return the shot that a predicted replay is paired with, and the second that the next search remembers.

    Officially a shot has no length where it ends in the second that was remembered last, and only shots that are
    passed over are remembered, into the next replay and game.
    """
    usable = shots.linked & (shots.action_half == half) & (shots.action >= 0)
    passed = np.where(usable, -1, np.arange(len(usable)))
    last = np.maximum.accumulate(np.concatenate(([-1], passed)))[:-1]  # the row that was passed over before each
    before = np.where(last >= 0, shots.end[last], remembered) if len(last) else last
    match = np.flatnonzero(usable & (before != shots.end) & (shots.end == end))
    if len(match):
        return int(match[0]), int(before[match[0]])
    return None, int(shots.end[passed.max()]) if (passed >= 0).any() else remembered


def _curves(found: Answered, delta: int) -> tuple[Ints, Ints]:
    """Return how many true and how many kept answers reach each threshold, (200,) each, at a tolerance in seconds."""
    kept = suppress(found.position, found.score, delta)
    position, score = found.position[kept], found.score[kept]
    replay = position // APART
    near = np.flatnonzero(np.abs(position - found.truth[replay]) <= delta)  # half of the tolerance, in frames
    best = near[np.lexsort((position[near], -score[near], replay[near]))]
    hits = best[np.diff(replay[best], prepend=-1) != 0]
    reached = count_thresholds(score)
    size = len(METRIC_THRESHOLDS) + 1
    return reaching(np.bincount(reached[hits], minlength=size)), reaching(np.bincount(reached, minlength=size))


def suppress(position: Ints, score: Floats, radius: int) -> NDArray[np.bool_]:
    """Return which answers stay, (D,), when from the best on each deletes those from ``radius`` before to just as far
    after it, that end not included; of equal scores the earlier is the better.

    Whatever no better one would delete stays, and deletes, at once; what is left goes through the next round.
    """
    rank = np.empty(len(score), np.int64)
    rank[np.lexsort((position, -score))] = np.arange(len(score))
    kept, left = np.zeros(len(score), bool), np.arange(len(score))
    while len(left):
        order, place = rank[left], position[left]
        low = np.searchsorted(place, place - radius, side="right")  # where those stand that would delete each
        high = np.searchsorted(place, place + radius, side="right")
        stands = _lowest(order, low, high) == order
        kept[left[stands]] = True
        standing = np.where(stands, order, len(score))
        left = left[~stands & (_lowest(standing, low, high) > order)]
    return kept


def _lowest(values: Ints, low: Ints, high: Ints) -> Ints:
    """Return the minimum of ``values[low:high]``, none of them empty."""
    bounds = np.stack((low, high), axis=1).ravel()
    return np.minimum.reduceat(np.append(values, values.max()), bounds)[::2]


def _frames(time: Floats, game: str) -> Ints:
    """Return the official frames, of which negative ones count from the end; raises UserError for times too late."""
    frame = np.trunc(2 * time)
    wrong = np.flatnonzero((frame >= FRAMES) | (frame < -FRAMES))
    if len(wrong):
        raise UserError(
            f"{game}: an action at {time[wrong[0]]:g} s: the official evaluator has room for {FRAMES // 2} s of a half"
        )
    return frame.astype(np.int64) % FRAMES
