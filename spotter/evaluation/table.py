"""Show forms of scores in the terminal, in percent as papers print them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from spotter.evaluation.average_map import TOLERANCES, VIEWS
from spotter.spots import Half, Predictions
from spotter.tasks import Task

Form = Mapping[str, Any]


def form_table(form: Form, title: str) -> Group:
    """Return the scores of one form: each tolerance set in all views, then each class, tight and loose."""
    scores = _table("mAP, %", ("all", "shown", "unshown"))
    for name in TOLERANCES:
        scores.add_row(name, *(_percent(form[name][f"map{view}"]) for view in VIEWS))
    columns = [(name, view) for name in ("tight", "loose") for view in VIEWS]
    classes = _table("AP, %", (f"{name}\n{view.strip('_') or 'all'}" for name, view in columns))
    for label in form["tight"]["per_class"]:
        classes.add_row(Text(label), *(_percent(form[name][f"per_class{view}"][label]) for name, view in columns))
    games = f"{form['games']} game{'s' if form['games'] != 1 else ''}"
    return Group(Text(f"{title}: {games}"), scores, classes)


def summary_table(forms: Mapping[str, Form]) -> Table:
    """Return the mAP of several forms at every tolerance set, one row each, the best of each column in bold."""
    table = _table("mAP, %", TOLERANCES)
    best = {name: max(form[name]["map"] for form in forms.values()) for name in TOLERANCES}
    for title, form in forms.items():
        scores = [(form[name]["map"], best[name]) for name in TOLERANCES]
        cells = [Text(_percent(score), style="bold" if score == top else "") for score, top in scores]
        table.add_row(Text(title), *cells)
    return table


def spots_table(predictions: Mapping[Half, Predictions], task: Task, threshold: float, most: int = 200) -> Group:
    """Return the spots of at least ``threshold`` by time, with action and confidence; at most ``most`` of a half."""
    parts: list[Text | Table] = []
    for half, spots in predictions.items():
        rows = np.flatnonzero(spots.confidence >= threshold)
        table = Table("time", "action", "confidence", title=Text(f"{half.game}, half {half.number}"), box=SIMPLE_HEAD)
        for row in rows[np.argsort(spots.time[rows], kind="stable")][:most]:
            minutes, rest = divmod(round(1000 * spots.time[row]), 60_000)
            moment = f"{minutes:02d}:{rest // 1000:02d}.{rest % 1000 // 100}"
            table.add_row(moment, Text(task.classes[spots.label[row]]), f"{spots.confidence[row]:.2f}")
        left = f", {len(rows) - most} later ones in the JSON file" if len(rows) > most else ""
        best = f"; the best has {spots.confidence.max():.2f}" if len(spots) and not len(rows) else ""
        parts += [table, Text(f"{len(rows)} spots with a confidence of at least {threshold:g}{left}{best}")]
    return Group(*parts)


def _table(first: str, columns: Iterable[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"
