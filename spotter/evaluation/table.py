"""Show metrics in the terminal, in percent as papers print them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from spotter.errors import plural
from spotter.evaluation.anticipation import ANTICIPATED
from spotter.evaluation.average_map import VIEWS
from spotter.evaluation.frames import MEAN
from spotter.evaluation.metrics import PRESENT, TEAM_VIEW, tolerance_names
from spotter.io.periods import match_clock
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Metrics

VIEW_NAMES = {
    "": "all",
    "_shown": "shown",
    "_unshown": "unshown",
    TEAM_VIEW: "by team",
    TEAM_VIEW + PRESENT: "by team,\nwhat has labels",
}
MOST_SPOTS = 200  # of a half, in a table
FEW = 8  # games: with fewer, intervals are too rough to mark a difference


def metrics_table(metrics: Metrics, title: str) -> Group:
    """Return the scores of one system: each tolerance set in all its views, then each class.

    Tolerances in seconds have the views all, shown and unshown, and of a task with teams that by team and, if it has no
    value, that over the actions that have labels; tolerances in frames have the first alone.
    """
    views: tuple[str, ...] = VIEWS
    if "map_team" in metrics["at_1"]:
        views += (TEAM_VIEW,) if metrics["at_1"]["map_team"] is not None else (TEAM_VIEW, TEAM_VIEW + PRESENT)
    scores = _table("mAP, %", (VIEW_NAMES[view] for view in views))
    for name in tolerance_names(metrics):
        scores.add_row(name, *(_percent(metrics[name].get(f"map{view}")) for view in views))
    columns = [(name, view) for name in ("tight", "loose") for view in VIEWS]
    columns += [(MEAN, "")] if MEAN in metrics else []
    columns += [("at_1", ""), ("at_1", TEAM_VIEW)] if TEAM_VIEW in views else []
    classes = _table("AP, %", (f"{name}\n{view.strip('_') or 'all'}" for name, view in columns))
    for label in metrics["tight"]["per_class"]:
        classes.add_row(Text(label), *(_percent(metrics[name][f"per_class{view}"][label]) for name, view in columns))
    return Group(Text(f"{title}: {_games(metrics)}"), scores, classes)


def f1_table(scores: Mapping[str, Mapping[str, Any]], classes: bool = True) -> Group:
    """Return F1 of one system, by action and, with teams, by team, too: at one threshold, and at one for each class.

    scores : what ``f1_scores`` returns, by a name for the classes
    classes : list each class, too
    """
    parts: list[Table | Text] = []
    for name, form in scores.items():
        best, held_out = form["best"], form["best"]["held_out"] or {}
        within = f"within ±{form['frames']} frames ({form['seconds']:.3g} s)"
        table = _table(f"F1, %, {name}, {within}", ("micro", "macro"))
        table.add_row(f"one threshold, {form['threshold']:.3f}", _percent(form["micro"]["f1"]), _percent(form["macro"]))
        table.add_row("a threshold for each class", _percent(best["micro"]), _percent(best["macro"]))
        table.add_row("the same, chosen on other games", *(_percent(held_out.get(key)) for key in ("micro", "macro")))
        parts.append(table)
        if not classes:
            continue
        by_class = _table("at the threshold of each class, %", ("precision", "recall", "F1", "threshold"))
        for label, threshold in best["thresholds"].items():
            row = best["per_class"][label]
            numbers = [_percent(row[key]) for key in ("precision", "recall", "f1")] if row else ["–"] * 3
            by_class.add_row(Text(label), *numbers, f"{threshold:.3f}" if row else "–")
        parts.append(by_class)
        if best["unstable"]:
            parts.append(Text(f"thresholds that may not fit other games: {', '.join(best['unstable'])}"))
    return Group(*parts)


def comparison_table(systems: Mapping[str, Metrics]) -> Group:
    """Return the scores of several systems side by side, numbered, with intervals where they have a ``bootstrap``.

    First the mAP at every tolerance set, the best of each column in bold; then the differences to the first, and the
    AP of each class. There a star marks a difference whose interval does not contain zero, unless the games are few.
    """
    numbered = list(enumerate(systems.items(), start=1))
    first = next(iter(systems.values()))
    parts: list[Text | Table] = [Text(f"{number}  {title}") for number, (title, _) in numbered]
    names = tolerance_names(first)
    shown = [(name, "") for name in names] + ([("at_1", TEAM_VIEW)] if "map_team" in first["at_1"] else [])
    heads = [f"{name}\n{VIEW_NAMES[view]}" if view else name for name, view in shown]
    scores, changes = _table("mAP, %", heads), _table("change to 1", heads)
    best = {column: max(_mean(metrics, *column) for metrics in systems.values()) for column in shown}
    by_class = [name for name in ("tight", "loose", MEAN) if name in names]
    classes = _table("AP, %", [f"{name}\n{number}" for name in by_class for number, _ in numbered])
    for number, (_, metrics) in numbered:
        scores.add_row(str(number), *(_score(metrics, *column, best[column]) for column in shown))
        if "differences" in metrics.get("bootstrap", {}):
            changes.add_row(str(number), *(_change(metrics, *column) for column in shown))
    for label in first["tight"]["per_class"]:
        cells = [_class_score(metrics, name, label) for name in by_class for metrics in systems.values()]
        classes.add_row(Text(label), *cells)
    parts += [scores, *([changes] if changes.rows else []), classes, Text(_caption(first))]
    return Group(*parts)


def _mean(metrics: Metrics, name: str, view: str) -> float:
    """Return a score; by team, where an action has no labels, that of the others."""
    score = metrics[name][f"map{view}"]
    return float(metrics[name][f"map{view}{PRESENT}"] if score is None else score)


def _score(metrics: Metrics, name: str, view: str, best: float) -> Text:
    score = _mean(metrics, name, view)
    text = Text(_percent(score), style="bold" if score == best else "")
    if "bootstrap" in metrics:
        low, high = metrics["bootstrap"]["intervals"][name][f"map{view}"]
        text.append(f"\n{100 * low:.1f}…{100 * high:.1f}", style="not bold dim")
    return text


def _change(metrics: Metrics, name: str, view: str) -> Text:
    difference = metrics["bootstrap"]["differences"][name][f"map{view}"]
    low, high = difference["interval"]
    text = Text(f"{100 * difference['value']:+.2f}{_star(metrics, difference)}")
    return text.append(f"\n{100 * low:+.1f}…{100 * high:+.1f}", style="dim")


def _class_score(metrics: Metrics, name: str, label: str) -> str:
    score = _percent(metrics[name]["per_class"][label])
    differences = metrics.get("bootstrap", {}).get("differences")
    return score + _star(metrics, differences[name]["per_class"][label]) if differences else score


def _star(metrics: Metrics, difference: Mapping[str, Any]) -> str:
    low, high = difference["interval"]
    return "*" if metrics["games"] >= FEW and (low > 0 or high < 0) else ""


def _caption(metrics: Metrics) -> str:
    games = _games(metrics)
    if "bootstrap" not in metrics:
        return f"{games}; no intervals"
    drawn = metrics["bootstrap"]
    text = f"{games}; {100 * drawn['level']:g} % intervals of {drawn['resamples']} resamples of {_one(metrics)}s"
    if metrics["games"] < FEW:
        return f"{text}; with fewer than {FEW} {_one(metrics)}s they are rough, and no difference is marked"
    return f"{text}; * the interval of the change from 1 does not contain zero"


def _games(metrics: Metrics) -> str:
    return plural(metrics["games"], _one(metrics))


def _one(metrics: Metrics) -> str:
    return "clip" if ANTICIPATED in metrics else "game"


def grounding_table(systems: Mapping[str, Metrics]) -> Table:
    """Return the average-AP of each system in replay grounding: of the answered replays, as officially, and of all."""
    table = _table("average-AP, %", ("tight", "loose", "tight,\nof all", "loose,\nof all", "answered"))
    for title, metrics in systems.items():
        scores = [metrics[name][key] for key in ("average_ap", "average_ap_all") for name in ("tight", "loose")]
        answered = f"{metrics['answered']} of {metrics['replays']}"
        table.add_row(Text(title), *map(_percent, scores), answered)
    return table


def spots_table(predictions: Mapping[Half, HalfPredictions], task: Task, threshold: float) -> Group:
    """Return the spots of at least ``threshold`` by time, with action and confidence, at most 200 of a half."""
    parts: list[Text | Table] = []
    for half, spots in predictions.items():
        rows = np.flatnonzero(spots.confidence >= threshold)
        clock = ["match"] if spots.period else []
        columns = ("time", *clock, "action", *(["team"] if task.teams else []), "confidence")
        table = Table(*columns, title=Text(f"{half.game}, half {half.number}"), box=SIMPLE_HEAD)
        for row in rows[np.argsort(spots.time[rows], kind="stable")][:MOST_SPOTS]:
            minutes, rest = divmod(round(1000 * spots.time[row]), 60_000)
            moment = f"{minutes:02d}:{rest // 1000:02d}.{rest % 1000 // 100}"
            side = spots.sides[row]
            team = [Text(task.teams[side] if side >= 0 else "–")] if task.teams else []
            shown = [match_clock(half.number, round(1000 * spots.time[row]))] if spots.period else []
            table.add_row(moment, *shown, Text(task.classes[spots.label[row]]), *team, f"{spots.confidence[row]:.2f}")
        left = f", {len(rows) - MOST_SPOTS} later ones in the JSON file" if len(rows) > MOST_SPOTS else ""
        best = f"; the best has {spots.confidence.max():.2f}" if len(spots) and not len(rows) else ""
        parts += [table, Text(f"{plural(len(rows), 'spot')} with a confidence of at least {threshold:g}{left}{best}")]
    return Group(*parts)


def _table(first: str, columns: Iterable[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{100 * fraction:.2f}"
