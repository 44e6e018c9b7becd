"""The evaluator of team ball action spotting 2025, on the official package's AP: its rules in few lines, made dense."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from SoccerNet.Evaluation.ActionSpotting import average_mAP

from tests.helpers.simulated import Entry

FPS = 25
FRAMES = 2 * 3600 * FPS
DELTAS = {"tight": range(1, 6), "loose": range(5, 61, 5), **{f"at_{delta}": [delta] for delta in range(1, 6)}}
VIEWS = ("", "_shown", "_unshown")


def scores(
    classes: tuple[str, ...], games: Mapping[str, tuple[list[Entry], list[Entry]]], names: list[str]
) -> dict[str, Any]:
    """Return ``map_team`` and so on, and ``map`` and ``per_class`` without teams, of each tolerance set."""
    sides = {(name, side): 2 * k + s for k, name in enumerate(classes) for s, side in enumerate(("left", "right"))}
    plain = {(name, side): k // 2 for (name, side), k in sides.items()}
    return {name: _by_team(classes, games, sides, name) | _without(classes, games, plain, name) for name in names}


def _by_team(classes: tuple[str, ...], games: Mapping[str, Any], index: Mapping[Any, int], name: str) -> dict[str, Any]:
    targets, detections, cells = _dense(games, index)
    count = sum(target.sum(axis=0) for target in targets)
    found = average_mAP(targets, detections, cells, framerate=FPS, deltas=np.array(DELTAS[name]))
    form = {}
    for view, row in zip(VIEWS, found[1::2], strict=True):
        with warnings.catch_warnings(action="ignore"):
            each = (np.array(row) * count).reshape(-1, 2).sum(axis=1) / count.reshape(-1, 2).sum(axis=1)
        form[f"map_team{view}"] = float(np.mean(each))
        form[f"per_class_team{view}"] = dict(zip(classes, map(float, each), strict=True))
    return form


def _without(classes: tuple[str, ...], games: Mapping[str, Any], index: Mapping[Any, int], name: str) -> dict[str, Any]:
    found = average_mAP(*_dense(games, index), framerate=FPS, deltas=np.array(DELTAS[name]))
    return {"map": float(found[0]), "per_class": dict(zip(classes, map(float, found[1]), strict=True))}


def _dense(games: Mapping[str, Any], index: Mapping[Any, int]) -> tuple[list[NDArray], list[NDArray], list[NDArray]]:
    targets, detections, cells = [], [], []
    for labels, predictions in games.values():
        target, detection = (
            np.zeros((FRAMES, max(index.values()) + 1)),
            np.full((FRAMES, max(index.values()) + 1), -1.0),
        )
        for entry in labels:
            if int(entry["gameTime"][0]) == 1:
                at = min(int(FPS * (int(entry["position"]) / 1000)), FRAMES - 1)
                target[at, index[entry["label"], entry["team"]]] = -1 if entry["visibility"] == "not shown" else 1
        for entry in predictions:
            at = min(int(FPS * (int(entry["position"]) / 1000)), FRAMES - 1)
            detection[at, index[entry["label"], entry["team"]]] = entry["confidence"]
        targets.append(target)
        detections.append(detection)
        cells.append(_cells(target))
    return targets, detections, cells


def _cells(target: NDArray) -> NDArray:
    """Return the visibility of the event that owns each frame, -1 where there is none."""
    cell = np.full(target.shape, -1.0)
    for column in range(target.shape[1]):
        at = np.flatnonzero(target[:, column])
        middle = (at[:-1] + at[1:]) // 2
        for start, stop, event in zip([0, *middle][: len(at)], [*middle, FRAMES][: len(at)], at, strict=True):
            cell[start:stop, column] = target[event, column]
    return cell
