"""Team-mAP: each action of each team is a class of its own, equal to the evaluator of team ball action spotting 2025.

An action's AP is that of both teams, each weighted by how many labels it has, those not shown counted negatively as the
official code does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.evaluation.events import SHOWN, UNSHOWN, MetricEvents
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

log = logging.getLogger(__name__)


def labels_by_team(labels: Mapping[Half, Spots], task: Task) -> dict[Half, Spots]:
    """Return the labels of ``task.by_team()``; those without a team that the task has are left out."""
    joined = {}
    for half, spots in labels.items():
        team = task.team_of(spots.team, len(spots))
        joined[half] = replace(spots, label=spots.label * task.sides + team).take(team >= 0)
    return joined


def predictions_by_team(predictions: Mapping[Half, HalfPredictions], task: Task) -> dict[Half, HalfPredictions]:
    """Return the predictions of ``task.by_team()``; those without a team are left out."""
    joined = {}
    for half, rows in predictions.items():
        joint = HalfPredictions(rows.label * task.sides + rows.sides, rows.time, rows.confidence)
        joined[half] = joint.take(rows.sides >= 0)
    return joined


def weights(events: MetricEvents) -> NDArray[np.int64]:
    """Return the weight of each class of ``task.by_team()``: (C * sides,)."""
    return events.event_counts[SHOWN] - events.event_counts[UNSHOWN]


def weigh_teams(precision: NDArray[np.float64], weight: NDArray[Any], sides: int) -> NDArray[np.float64]:
    """Return the AP of each action from those of its teams, (…, C * sides) to (…, C); NaN where there are no labels.

    weight : (C * sides,), or for each row of ``precision``
    """
    total = weight.reshape(*weight.shape[:-1], -1, sides).sum(axis=-1)
    sums = (precision * weight).reshape(*precision.shape[:-1], -1, sides).sum(axis=-1)
    return np.divide(sums, total, out=np.full(sums.shape, np.nan), where=np.broadcast_to(total != 0, sums.shape))


def team_form(precision: NDArray[np.float64], classes: Sequence[str], views: Sequence[str]) -> dict[str, Any]:
    """Return what a tolerance set of a task with teams has beside its other scores.

    precision : (3, C) of all, shown and unshown, NaN where an action has no labels

    Where an action has no labels, ``map_team`` is None, as the official number then is none; ``map_team_present`` is
    the mean over the actions that have some, 0 without any.
    """
    form: dict[str, Any] = {}
    for view, row in zip(views, precision, strict=True):
        form[f"map_team{view}"] = _number(row.mean())
        form[f"per_class_team{view}"] = {name: _number(value) for name, value in zip(classes, row, strict=True)}
    present = ~np.isnan(precision[0])
    return form | {"map_team_present": float(precision[0, present].mean()) if present.any() else 0.0}


def actions_without_labels(labels: Mapping[Half, Spots], task: Task) -> list[str]:
    """Return the actions that no team of a task with teams has a label of, by which Team-mAP has no value."""
    joined = labels_by_team(labels, task).values()
    found = {int(label) // task.sides for spots in joined for label in np.unique(spots.label)}
    return [name for index, name in enumerate(task.classes) if index not in found]


def warn_of_missing_actions(labels: Mapping[Half, Spots], task: Task) -> bool:
    """Return whether an action has no labels, and say once what that means for Team-mAP."""
    missing = actions_without_labels(labels, task) if task.teams and labels else []
    if missing:
        log.warning(
            "Team-mAP has no value, for no label names a team of %s; the mean over the other actions takes its place",
            ", ".join(missing),
        )
    return bool(missing)


def check_teams(labels: Mapping[Half, Spots], task: Task) -> None:
    """Raise UserError for a label of a strict task that names no team, as the kit does."""
    for half, spots in labels.items() if task.strict else ():
        for row in np.flatnonzero(task.team_of(spots.team, len(spots)) < 0)[:1]:
            named = None if spots.team is None else str(spots.team[row]) or None
            raise UserError(
                f"{half.game}: the label at {spots.time[row]:g} s has the team {named!r}, not "
                f"{' or '.join(task.teams)}: correct the file, or score it by a task without teams"
            )


def _number(value: np.floating) -> float | None:
    return None if np.isnan(value) else float(value)
