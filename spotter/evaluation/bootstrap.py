"""Bootstrap over games: how far chance may move a score, and whether two predictions really differ.

The metric counts, per class and threshold, over all games; matching never crosses a game. Drawing a game twice is
therefore counting it twice, and every resample is a weighted sum of what the games count, scored by the same code.
Resamples as a whole lie off the score: repeated games make noisier curves, whose interpolation rises, and a resample
may lack a rare class. So only their spread is used, put around the score itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.evaluation.anticipation import ANTICIPATED, PARTS, after_clips
from spotter.evaluation.average_map import (
    SECONDS,
    TOLERANCES,
    average_tolerances,
    interpolate_precision,
    match,
    seconds_of,
    tolerances_of,
)
from spotter.evaluation.events import ALL, MetricEvents, collect_events
from spotter.evaluation.frames import frame_precision, rank_detections, score_names
from spotter.evaluation.metrics import TEAM_VIEW
from spotter.evaluation.team_map import labels_by_team, predictions_by_team, weigh_teams
from spotter.evaluation.team_map import weights as team_weights
from spotter.tasks import ANTICIPATION, Task
from spotter.types import Half, HalfPredictions, Spots

RESAMPLES = 1000
LEVEL = 0.95
CHUNK = 64  # resamples scored at once, for the sake of memory and cache
Array = NDArray[np.float64]
Each = Callable[[Sequence[float]], Iterable[float]]


def draw_resamples(games: int, resamples: int = RESAMPLES) -> Array:
    """Return how often each game is drawn in each resample, all games equally likely: (R, G)."""
    return np.random.default_rng(0).multinomial(games, np.full(games, 1 / games), resamples).astype(np.float64)


def score_resamples(
    labels: Mapping[Half, Spots],
    predictions: Mapping[Half, HalfPredictions],
    task: Task,
    weights: Array,
    each: Each = iter,
) -> dict[str, Array]:
    """Return the scores of ``predictions`` in every resample: for each tolerance set the mAP and the AP, (R, 1 + C).

    Of a task with teams also those by team, as ``at_1_team``: the mean is over the actions that have labels.

    weights : (R, G) how often each game counts, games in the order in which ``labels`` first names them
    each : goes through the tolerances, to show progress
    """
    if task.metric == ANTICIPATION:
        labels, predictions = after_clips(labels, predictions)
    tolerances = tolerances_of(task)
    precision = _precision(_games(labels, predictions, task), weights, seconds_of(tolerances), each)
    official = {name: _scores(rows) for name, rows in _by_tolerances(precision, tolerances).items()}
    if task.metric == ANTICIPATION:
        official[ANTICIPATED] = np.mean([official[name] for name in PARTS], axis=0)
    teams = _team_scores(labels, predictions, task, weights) if task.teams else {}
    return official | teams | _frame_scores(labels, predictions, task, weights)


def _precision(
    games: Sequence[MetricEvents], weights: Array, tolerances: Sequence[float], each: Each = iter
) -> dict[float, Array]:
    """Return the AP of every class at each tolerance, in seconds: (R, C)."""
    detections = _sum(weights, [game.detection_counts[ALL] for game in games])
    events = _sum(weights, [game.event_counts[ALL] for game in games])
    precision = {}
    for seconds in each(tolerances):
        true = _sum(weights, [game.count_reaching(match(game, seconds))[ALL] for game in games])
        parts = (slice(start, start + CHUNK) for start in range(0, len(weights), CHUNK))
        scores = [interpolate_precision(true[part], detections[part], events[part]) for part in parts]
        precision[seconds] = np.concatenate(scores)
    return precision


def _by_tolerances(
    precision: Mapping[float, Array], tolerances: Mapping[str, Sequence[float]] = TOLERANCES
) -> dict[str, Array]:
    """Return the AP at the tolerances of each set, (T, R, C)."""
    return {name: np.stack([precision[s] for s in seconds]) for name, seconds in tolerances.items()}


def _team_scores(
    labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions], task: Task, weights: Array
) -> dict[str, Array]:
    """Return Team-mAP and its AP, (R, 1 + C); an action that a resample lacks has AP 0, and no part in the mean."""
    joint = labels_by_team(labels, task), predictions_by_team(predictions, task), task.by_team()
    games = _games(*joint)
    counts = _sum(weights, [team_weights(game) for game in games])
    scores = {}
    for name, rows in _by_tolerances(_precision(games, weights, SECONDS)).items():
        classes = weigh_teams(average_tolerances(rows), counts, task.sides)
        present = np.maximum(1, (~np.isnan(classes)).sum(axis=1))
        scores[name + TEAM_VIEW] = np.column_stack([np.nansum(classes, axis=1) / present, np.nan_to_num(classes)])
    return scores


def _frame_scores(
    labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions], task: Task, weights: Array
) -> dict[str, Array]:
    """Return mAP and AP by tolerances in frames, (R, 1 + C); a class that a resample lacks has AP 0 in it."""
    means, classes = frame_precision(rank_detections(labels, predictions, task), task.tolerances, weights)
    columns = np.concatenate([means[..., None], np.nan_to_num(classes)], axis=-1)
    return dict(zip(score_names(task), columns, strict=True))


def compare_systems(
    labels: Mapping[Half, Spots],
    predictions: Mapping[str, Mapping[Half, HalfPredictions]],
    task: Task,
    resamples: int = RESAMPLES,
    each: Each = iter,
) -> dict[str, dict[str, Any]]:
    """Return, for each of several predictions, confidence intervals and differences to the first, by paired resamples.

    Each is ``{"resamples", "level", "intervals": SCORES, "against": first, "differences": SCORES}`` with SCORES
    ``{"tight": {"map": x, "per_class": {"Goal": x, …}}, "loose": …, "at_1": …}``, with teams also ``map_team`` and
    ``per_class_team``. An interval is ``[low, high]``; a difference is ``{"value", "interval", "better"}``, ``better``
    being the fraction of resamples in which this one scores higher than the first, ties counted half. The first has no
    differences.
    """
    games = len({half.game for half in labels})
    weights = np.concatenate([np.ones((1, games)), draw_resamples(games, resamples)])  # the first row: as it is
    compared: dict[str, dict[str, Any]] = {}
    first: dict[str, Array] = {}
    for title, rows in predictions.items():
        scores = score_resamples(labels, rows, task, weights, each)
        compared[title] = {"resamples": resamples, "level": LEVEL, "intervals": _by_class(scores, task, _interval)}
        if first:
            gains = {name: scores[name] - first[name] for name in scores}
            compared[title] |= {"against": next(iter(predictions)), "differences": _by_class(gains, task, difference)}
        first = first or scores
    return compared


def _games(labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions], task: Task) -> list[MetricEvents]:
    """Return what the metric sees of each game."""
    games: dict[str, dict[Half, Spots]] = {}
    for half, spots in labels.items():
        games.setdefault(half.game, {})[half] = spots
    return [collect_events(halves, predictions, task) for halves in games.values()]


def _sum(weights: Array, counts: Sequence[NDArray[np.int64]]) -> Array:
    """Sum what each game counts, G of (…), by weight, (R, G): (R, …), exact while counts are below 2^53."""
    table = np.stack([each.ravel() for each in counts]).astype(np.float64)
    return (weights @ table).reshape(-1, *counts[0].shape)


def _scores(precision: Array) -> Array:
    """Return mAP and AP of a tolerance set, (T, R, C) to (R, 1 + C)."""
    return np.column_stack([average_tolerances(precision.mean(axis=-1)), average_tolerances(precision)])


def _by_class(scores: Mapping[str, Array], task: Task, describe: Callable[[Array], Any]) -> dict[str, Any]:
    nested: dict[str, Any] = defaultdict(dict)
    for name, columns in scores.items():
        mean, *classes = map(describe, columns.T)
        view = TEAM_VIEW if name.endswith(TEAM_VIEW) else ""
        found = {f"map{view}": mean, f"per_class{view}": dict(zip(task.classes, classes, strict=True))}
        nested[name.removesuffix(view)] |= found
    return dict(nested)


def _interval(values: Array) -> list[float]:
    """Return where ``LEVEL`` of the resamples lie, moved so that their median is the score, the first value."""
    tail = (1 - LEVEL) / 2
    return np.quantile(_centre(values), [tail, 1 - tail]).tolist()


def difference(values: Array) -> dict[str, Any]:
    """Return ``{"value", "interval", "better"}`` of the gain of one system over another.

    values : (1 + R,) the gain on the games as they are, and on each of R resamples
    """
    moved = _centre(values)
    better = float(np.mean(moved > 0) + np.mean(moved == 0) / 2)
    return {"value": float(values[0]), "interval": _interval(values), "better": better}


def _centre(values: Array) -> Array:
    return values[0] + values[1:] - np.median(values[1:])
