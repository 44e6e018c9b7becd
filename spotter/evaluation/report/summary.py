"""The words and single numbers of a report, as one JSON document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.errors import plural
from spotter.evaluation.error_causes import AROUND, ERRORS
from spotter.evaluation.frames import score_names
from spotter.evaluation.label_errors import find_label_errors
from spotter.evaluation.metrics import PRESENT, monitored_classes, parse_monitor, tolerance_names
from spotter.evaluation.report.analysis import JUDGED, Analysis
from spotter.evaluation.report.published import find_official_split, published_scores
from spotter.tasks import Task
from spotter.types import METRIC_THRESHOLDS, Half, Metrics, Period

METHODS = {"nms": "hard NMS", "soft_nms": "soft NMS", "quadratic_nms": "quadratic NMS"}
UNSCORED_THRESHOLD = 40  # of 199, about 0.2
MOST_ERRORS = 300  # of labels, in a page


def summarise_predictions(
    task: Task,
    halves: Sequence[Half],
    analysis: Analysis | None,
    metrics: Metrics | None,
    split: str | None,
    placed: Mapping[Half, Period],
    f1: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return all that needs no spots: names, scores, how others score, curves, and what each cause costs.

    placed : where halves begin in their videos and end, as far as it is known
    f1 : what ``f1_scores`` returns
    """
    games = {half.game for half in halves}
    official = find_official_split(task, games)
    return {
        "classes": list(task.classes),
        "teams": list(task.teams),
        "monitor": _monitor(task, analysis),
        "subtitle": _subtitle(task, halves, official or split),
        "scored": f"{plural(len(games), 'game')}, in percent; {_exactness(task)}",
        "metrics": analysis and _scores(analysis.metrics),
        "postprocess": describe_postprocess((metrics or {}).get("postprocess") or {}, task),
        "published": published_scores(task, official),
        "unpublished": _unpublished(task, official),
        "f1": None
        if f1 is None
        else {name: f1[name] for name in ("frames", "seconds", "threshold", "micro", "macro", "per_class")},
        "label_errors": label_errors(analysis),
        "halves": [_half(half, placed.get(half)) for half in halves],
        "tolerances": JUDGED,
        "tolerance": analysis.default.tolerance if analysis else JUDGED[0],
        "around": AROUND,
        "spots": analysis and analysis.spots.tolist(),
        "delta": analysis and _rounded(analysis.delta),
        "judged": analysis and _judged(analysis),
    }


def compare_scores(systems: Mapping[str, Metrics], task: Task) -> list[dict[str, Any]]:
    """Return, of each system, its name, its mAP at every tolerance, and by class that of the task's own score."""
    tolerance, view = parse_monitor(task.monitor)
    names = tolerance_names(next(iter(systems.values()))) if systems else ()
    return [
        {
            "name": name,
            "map": {each: metrics[each]["map"] for each in names},
            "main": metrics[tolerance][f"map{view}"],
            "per_class": monitored_classes(metrics, task.monitor),
        }
        for name, metrics in systems.items()
    ]


def label_errors(analysis: Analysis | None) -> list[dict[str, Any]]:
    """Return the probable errors of the labels, the most probable first; times are milliseconds of the half."""
    if analysis is None:
        return []
    threshold = float(METRIC_THRESHOLDS[analysis.default.threshold])
    found, events = find_label_errors(analysis.errors, analysis.default.errors, threshold), analysis.errors.events
    rows = zip(*(getattr(found, name)[:MOST_ERRORS].tolist() for name in found.__slots__), strict=True)
    return [
        {
            "kind": kind,
            "half": half,
            "label": label,
            "time": round(1000 * time),
            "team": team,
            "chance": round(chance, 4),
        }
        | ({} if event < 0 else {"old": [int(events.label[event]), round(1000 * float(events.time[event]))]})
        for kind, half, label, time, team, event, chance in rows
    ]


def _half(half: Half, period: Period | None) -> dict[str, Any]:
    start, end = period or Period(0)
    known = {} if math.isinf(end) else {"length": round(1000 * (end - start))}
    return {"game": half.game, "number": half.number, "start": round(1000 * start), **known}


def _monitor(task: Task, analysis: Analysis | None) -> list[str]:
    """Return the score that heads the page, see ``parse_monitor``."""
    tolerance, view = parse_monitor(task.monitor)
    missing = analysis is not None and analysis.metrics[tolerance].get(f"map{view}", 0) is None
    return [tolerance, view + PRESENT if missing else view]


def _scores(metrics: Metrics) -> dict[str, Any]:
    return {name: metrics[name] for name in (*tolerance_names(metrics), "games")}


def _exactness(task: Task) -> str:
    if score_names(task):
        return "within n frames: as E2E-Spot scores; the others as SoccerNet's evaluator does."
    return "equal to the official evaluator's to the last bit."


def describe_postprocess(postprocess: Mapping[str, Any], task: Task) -> str:
    """Return a suppression's settings as a phrase, empty if there are none."""
    known = dict(postprocess)
    if not known:
        return ""
    method = str(known.pop("method", ""))
    words = [METHODS.get(method, method)]
    window = known.pop("window", None)
    if isinstance(window, Sequence) and len(window) == len(task.classes):
        words.append(
            "windows " + ", ".join(f"{name} {_seconds(w)}" for name, w in zip(task.classes, window, strict=True))
        )
    elif window is not None:
        words.append(f"window {_seconds(window)}")
    words += [f"{key.replace('_', ' ')} {value}" for key, value in known.items()]
    return ", ".join(word for word in words if word)


def _seconds(window: object) -> str:
    return f"{window:g} s" if isinstance(window, int | float) else str(window)


def _subtitle(task: Task, halves: Sequence[Half], split: str | None) -> str:
    games = len({half.game for half in halves})
    parts = [task.name, f"{split} split" if split else "", plural(games, "game")]
    return " · ".join(part for part in parts if part)


def _unpublished(task: Task, split: str | None) -> str:
    if split is None:
        return "These games are not an official split, so there is nothing to compare with."
    return f"No checked published scores are known for the {split} split of {task.name}."


def _judged(analysis: Analysis) -> dict[int, dict[str, Any]]:
    """Return by tolerance its threshold, its mAP, and what each error costs: in total and by class, in two scores."""
    return {
        judged.tolerance: {
            "threshold": judged.threshold,
            "costs": {
                error: [[_rounded(row.mean()), _rounded(row)] for row in judged.costs[error]] for error in ERRORS
            },
        }
        for judged in analysis.judged
    }


def _rounded(values: NDArray[np.float64] | np.float64) -> Any:
    return np.round(values, 5).tolist()
