"""The figures of several systems side by side, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from spotter.evaluation.error_causes import AROUND, CAUSES, ERRORS, OUTCOMES
from spotter.evaluation.metrics import monitored_classes
from spotter.evaluation.report.analysis import DELTAS, Analysis
from spotter.evaluation.report.figures import displacement_axis, displacements, monitor_text, stack, tolerance_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spotter.evaluation.columns import Floats

Systems = Mapping[str, Analysis]
COLORS = ("#0b6e4f", "#e69f00", "#2f8fd0", "#b4569a", "#d55e00", "#878d94", "#009e73")  # repeated beyond 7 systems


def _tolerance_curve(axes: Axes, systems: Systems) -> None:
    for index, (name, analysis) in enumerate(systems.items()):
        axes.plot(DELTAS, 100 * analysis.delta[:, 0].mean(axis=-1), label=name, color=_color(index))
    tolerance_axis(axes)


def _precision_recall(axes: Axes, systems: Systems) -> None:
    for index, (name, analysis) in enumerate(systems.items()):
        precision, recall = analysis.default.precision[-1], analysis.default.recall[-1]
        shown = (precision > 0) | (recall > 0)
        axes.plot(100 * recall[shown], 100 * precision[shown], label=name, color=_color(index))
    tolerance = _first(systems).default.tolerance
    axes.set(xlabel="recall, %", ylabel="precision, %", xlim=(0, 101), ylim=(0, 103), title=f"δ = {tolerance} s")
    axes.legend(frameon=False, loc="lower left")


def _class_scores(axes: Axes, systems: Systems) -> None:
    task = _first(systems).errors.task
    scores = {}
    for name, analysis in systems.items():
        classes = monitored_classes(analysis.metrics, task.monitor)
        scores[name] = np.array([100 * (classes[label] or 0.0) for label in task.classes])
    _bars(axes, task.classes, scores)
    axes.set(xlabel=f"AP, % ({monitor_text(_first(systems))})", xlim=(0, 100))


def _causes(axes: Axes, systems: Systems) -> None:
    counts = np.stack([analysis.cause_counts(analysis.default).sum(axis=0) for analysis in systems.values()])
    stack(axes, counts, CAUSES, list(systems), "predictions, %")


def _outcomes(axes: Axes, systems: Systems) -> None:
    counts = np.stack([analysis.outcome_counts(analysis.default).sum(axis=0) for analysis in systems.values()])
    stack(axes, counts, OUTCOMES, list(systems), "labels, %")


def _costs(axes: Axes, systems: Systems) -> None:
    costs = {
        name: np.array([100 * analysis.default.costs[error][0].mean() for error in ERRORS])
        for name, analysis in systems.items()
    }
    _bars(axes, ERRORS, costs)
    axes.set(xlabel=f"points of {monitor_text(_first(systems))} gained without it")


def _displacements(axes: Axes, systems: Systems) -> None:
    first = _first(systems)
    radius = AROUND * first.default.tolerance / 2
    for index, (name, analysis) in enumerate(systems.items()):
        bins = np.linspace(-radius, radius, 61).tolist()
        axes.hist(displacements(analysis), bins, histtype="step", color=_color(index), label=name)
    displacement_axis(axes, first)
    axes.legend(frameon=False)


def _bars(axes: Axes, rows: tuple[str, ...], values: Mapping[str, Floats]) -> None:
    """Draw a group of bars for each row, one of each system."""
    places, height = np.arange(len(rows)), 0.8 / len(values)
    for index, (name, column) in enumerate(values.items()):
        axes.barh(places + height * (index - (len(values) - 1) / 2), column, height, label=name, color=_color(index))
    axes.set_yticks(places, rows)
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.legend(frameon=False, loc="lower right")


def _first(systems: Systems) -> Analysis:
    return next(iter(systems.values()))


def _color(index: int) -> str:
    return COLORS[index % len(COLORS)]


# name: how it is drawn, width in inches, and the number of bars of each system, 0 for a figure of fixed height
COMPARISONS: dict[str, tuple[Callable[[Axes, Systems], None], float, Callable[[Analysis], int]]] = {
    "tolerance_curve": (_tolerance_curve, 3.4, lambda _: 0),
    "precision_recall": (_precision_recall, 3.4, lambda _: 0),
    "class_scores": (_class_scores, 4.6, lambda analysis: len(analysis.errors.task.classes)),
    "causes": (_causes, 5.6, lambda _: 1),
    "outcomes": (_outcomes, 5.6, lambda _: 1),
    "costs": (_costs, 3.8, lambda _: len(ERRORS)),
    "displacements": (_displacements, 3.8, lambda _: 0),
}
