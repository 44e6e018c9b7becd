"""Precision, recall and F1 at thresholds, within a number of frames to either side, and which thresholds carry over.

From the most confident prediction to the least, each takes the nearest label of its class that is left within the
frames, as the player-centric challenge of 2026 counts. A lower threshold takes nothing from a better prediction, so one
matching serves all thresholds. Micro counts all classes together, macro is the mean over the classes that have labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.evaluation.average_map import match_radius
from spotter.evaluation.columns import Floats, Ints, count_thresholds
from spotter.evaluation.events import reaching
from spotter.evaluation.frames import RankedEvents, match_nearest, rank_detections
from spotter.evaluation.metrics import monitored_tolerances
from spotter.tasks import Task
from spotter.types import METRIC_THRESHOLDS, Half, HalfPredictions, Spots

FOLDS = 10  # at most
FEW = 10  # labels, with which no threshold can be chosen
LOSS = 0.05  # of F1 on games that did not choose the threshold, from which on it does not carry over


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Hold what is counted in each of G games at the metric's 200 thresholds.

    true, found : (G, C, 200) true positives, and predictions
    labels : (G, C)
    """

    true: Ints
    found: Ints
    labels: Ints


def f1_scores(
    labels: Mapping[Half, Spots],
    predictions: Mapping[Half, HalfPredictions],
    task: Task,
    frames: int | None = None,
    threshold: float | None = None,
) -> dict[str, Any]:
    """Return F1 at one threshold for all classes, and at the best threshold of each, with what it is worth elsewhere.

    frames : how far a prediction may lie from its label; by default what the task's own score allows at most
    threshold : one for all classes; by default that of the best micro F1

    ``{"frames", "seconds", "threshold", "micro", "macro", "per_class", "best"}``. Micro and each class are
    ``{"precision", "recall", "f1"}``, None for a class without labels. ``best`` has ``thresholds`` by class, chosen on
    all games, with their ``micro`` and ``macro`` F1 and ``per_class``; ``held_out`` micro and macro of games by
    thresholds that the others chose, None for a single game; and ``unstable``, the classes whose threshold does not
    carry over.
    """
    frames = max_frames(task) if frames is None else frames
    ranked, classes = rank_detections(labels, predictions, task), len(task.classes)
    hit = match_nearest(ranked, frames) >= 0
    counts = _count(ranked, hit, classes)
    true, found, total = counts.true.sum(axis=0), counts.found.sum(axis=0), counts.labels.sum(axis=0)
    if threshold is None:
        level = int(last_best(f1(true.sum(axis=0), found.sum(axis=0), total.sum())))
        at, threshold = (true[:, level], found[:, level], total), float(METRIC_THRESHOLDS[level])
    else:
        at = _count_at(ranked, hit, classes, threshold)
    return {
        "frames": frames,
        "seconds": frames / task.fps,
        "threshold": threshold,
        "micro": _row(*(numbers.sum() for numbers in at)),
        "macro": _macro(*at),
        "per_class": _by_class(*at, task),
        "best": _best_thresholds(counts, task),
    }


def max_frames(task: Task) -> int:
    """Return how far a prediction may lie from its label by the score that the task is judged by, in metric frames."""
    return match_radius(max(monitored_tolerances(task)), task.fps)


def _count(ranked: RankedEvents, hit: NDArray[np.bool_], classes: int) -> Counts:
    """Count, by game, class and threshold, predictions and those that ``hit`` a label."""
    shape = ranked.games, classes, len(METRIC_THRESHOLDS) + 1
    cell = np.ravel_multi_index(
        (ranked.detection_game, ranked.detection_class, count_thresholds(ranked.confidence)), shape
    )
    found, hits = (np.bincount(cell[rows], minlength=int(np.prod(shape))) for rows in (slice(None), hit))
    events = np.bincount(ranked.event_game * shape[1] + ranked.event_class, minlength=shape[0] * shape[1])
    return Counts(reaching(hits.reshape(shape)), reaching(found.reshape(shape)), events.reshape(shape[:2]))


def _count_at(ranked: RankedEvents, hit: NDArray[np.bool_], classes: int, threshold: float) -> tuple[Ints, Ints, Ints]:
    """Count true positives, predictions and labels of each class, (C,), at any threshold."""
    kept = ranked.confidence >= threshold
    numbers = ranked.detection_class[kept & hit], ranked.detection_class[kept], ranked.event_class
    true, found, labels = (np.bincount(each, minlength=classes) for each in numbers)
    return true, found, labels


def f1(true: Ints, found: Ints, labels: Ints) -> Floats:
    """Return F1, 0 where nothing is labelled or predicted."""
    return 2 * true / np.maximum(found + labels, 1)


def _best_thresholds(counts: Counts, task: Task) -> dict[str, Any]:
    """Choose a threshold for each class on all games, and say what such a choice is worth on other games."""
    chosen = _choose(counts, np.ones(len(counts.labels), bool))
    own = _at(counts, chosen[None])
    result = {
        "thresholds": dict(zip(task.classes, METRIC_THRESHOLDS[chosen].tolist(), strict=True)),
        "micro": _micro(*own),
        "macro": _macro(*own),
        "per_class": _by_class(*own, task),
        "held_out": None,
        "unstable": [],
    }
    games = len(counts.labels)
    if games < 2:
        return result
    fold = np.arange(games) % min(FOLDS, games)
    others = np.stack([_choose(counts, fold != each) for each in range(fold.max() + 1)])
    held_out = _at(counts, others[fold])
    lost = f1(*own) - f1(*held_out) > LOSS
    doubtful = (own[2] > 0) & (lost | (own[2] < FEW))
    result["held_out"] = {"micro": _micro(*held_out), "macro": _macro(*held_out)}
    return result | {"unstable": [name for name, doubt in zip(task.classes, doubtful, strict=True) if doubt]}


def _choose(counts: Counts, games: NDArray[np.bool_]) -> Ints:
    """Return the number of the best threshold of each class, of equals the highest, on some games: (C,)."""
    true, found, labels = (each[games].sum(axis=0) for each in (counts.true, counts.found, counts.labels))
    return last_best(f1(true, found, labels[:, None]))


def _at(counts: Counts, levels: Ints) -> tuple[Ints, Ints, Ints]:
    """Return true positives, predictions and labels of each class, (C,), at thresholds (G or 1, C)."""
    index = np.broadcast_to(levels, counts.labels.shape)[..., None]
    true, found = (np.take_along_axis(each, index, axis=-1)[..., 0].sum(axis=0) for each in (counts.true, counts.found))
    return true, found, counts.labels.sum(axis=0)


def last_best(scores: Floats) -> Ints:
    """Return the index of the highest score along the last axis, of equals the last."""
    return np.asarray(scores.shape[-1] - 1 - np.argmax(scores[..., ::-1], axis=-1))


def _micro(true: Ints, found: Ints, labels: Ints) -> float:
    return float(f1(true.sum(), found.sum(), labels.sum()))


def _macro(true: Ints, found: Ints, labels: Ints) -> float:
    present = labels > 0
    return float(f1(true, found, labels)[present].mean()) if present.any() else 0.0


def _by_class(true: Ints, found: Ints, labels: Ints, task: Task) -> dict[str, dict[str, float] | None]:
    rows = [_row(*numbers) if numbers[2] else None for numbers in zip(true, found, labels, strict=True)]
    return dict(zip(task.classes, rows, strict=True))


def _row(true: Any, found: Any, labels: Any) -> dict[str, float]:
    precision, recall = float(true / max(found, 1)), float(true / max(labels, 1))
    return {"precision": precision, "recall": recall, "f1": float(f1(true, found, labels))}
