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
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions

Form = Mapping[str, Any]
FEW = 10  # games


def form_table(form: Form, title: str) -> Group:
    """Return the scores of one form: each tolerance set in all views, then each class, tight and loose."""
    scores = _table("mAP, %", ("all", "shown", "unshown"))
    for name in TOLERANCES:
        scores.add_row(name, *(_percent(form[name][f"map{view}"]) for view in VIEWS))
    columns = [(name, view) for name in ("tight", "loose") for view in VIEWS]
    classes = _table("AP, %", (f"{name}\n{view.strip('_') or 'all'}" for name, view in columns))
    for label in form["tight"]["per_class"]:
        classes.add_row(Text(label), *(_percent(form[name][f"per_class{view}"][label]) for name, view in columns))
    return Group(Text(f"{title}: {_games(form)}"), scores, classes)


def summary_table(forms: Mapping[str, Form]) -> Group:
    """Return the scores of several forms side by side, numbered, with intervals where they have a ``bootstrap``.

    First the mAP at every tolerance set, the best of each column in bold; then the differences to the first, and the
    AP of each class. There a star marks what differs from the first by more than chance: the interval leaves zero out.
    """
    numbered = list(enumerate(forms.items(), start=1))
    parts: list[Text | Table] = [Text(f"{number}  {title}") for number, (title, _) in numbered]
    scores, gains = _table("mAP, %", TOLERANCES), _table("change to 1", TOLERANCES)
    best = {name: max(form[name]["map"] for form in forms.values()) for name in TOLERANCES}
    classes = _table("AP, %", [f"{name}\n{number}" for name in ("tight", "loose") for number, _ in numbered])
    for number, (_, form) in numbered:
        scores.add_row(str(number), *(_scored(form, name, best[name]) for name in TOLERANCES))
        if changes := form.get("bootstrap", {}).get("differences"):
            gains.add_row(str(number), *(_gained(changes[name]["map"]) for name in TOLERANCES))
    for label in next(iter(forms.values()))["tight"]["per_class"]:
        cells = [_class_cell(form, name, label) for name in ("tight", "loose") for form in forms.values()]
        classes.add_row(Text(label), *cells)
    parts += [scores, *([gains] if gains.rows else []), classes, Text(_caption(next(iter(forms.values()))))]
    return Group(*parts)


def _scored(form: Form, name: str, best: float) -> Text:
    score = form[name]["map"]
    text = Text(_percent(score), style="bold" if score == best else "")
    if "bootstrap" in form:
        low, high = form["bootstrap"]["intervals"][name]["map"]
        text.append(f"\n{100 * low:.1f}…{100 * high:.1f}", style="not bold dim")
    return text


def _gained(change: Mapping[str, Any]) -> Text:
    low, high = change["interval"]
    text = Text(f"{100 * change['value']:+.2f}{_star(change)}")
    return text.append(f"\n{100 * low:+.1f}…{100 * high:+.1f}", style="dim")


def _class_cell(form: Form, name: str, label: str) -> str:
    changes = form.get("bootstrap", {}).get("differences")
    return _percent(form[name]["per_class"][label]) + (_star(changes[name]["per_class"][label]) if changes else "")


def _star(change: Mapping[str, Any]) -> str:
    low, high = change["interval"]
    return "*" if low > 0 or high < 0 else ""


def _caption(form: Form) -> str:
    games = _games(form)
    if "bootstrap" not in form:
        return f"{games}; no intervals"
    drawn = form["bootstrap"]
    few = "; so few games make rough intervals" if form["games"] < FEW else ""
    said = f"{games}; {100 * drawn['level']:g} % intervals of {drawn['resamples']} resamples of games{few}"
    return f"{said}; * its change from 1 is certain: the interval leaves zero out"


def _games(form: Form) -> str:
    return f"{form['games']} game{'s' if form['games'] != 1 else ''}"


def spots_table(predictions: Mapping[Half, HalfPredictions], task: Task, threshold: float, most: int = 200) -> Group:
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
