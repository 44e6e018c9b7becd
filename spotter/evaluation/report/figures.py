"""The figures of one system, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from spotter.evaluation.columns import Floats, Ints
from spotter.evaluation.error_causes import AROUND, CAUSES, ERRORS, OUTCOMES
from spotter.evaluation.report.analysis import DELTAS, Analysis
from spotter.types import METRIC_THRESHOLDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {  # those of the page; distinct to colour-blind readers too
    "true positive": "#009e73",
    "found": "#009e73",
    "displaced": "#e69f00",
    "wrong class": "#b4569a",
    "duplicate": "#2f8fd0",
    "background": "#878d94",
    "missed": "#d55e00",
}
INK = "#0b6e4f"


def _tolerance_curve(axes: Axes, analysis: Analysis) -> None:
    for view, (name, color) in enumerate((("all", INK), ("shown", "#2f8fd0"), ("not shown", "#e69f00"))):
        axes.plot(
            DELTAS, 100 * analysis.delta[:, view].mean(axis=-1), label=name, color=color, linewidth=2 - 0.6 * (view > 0)
        )
    tolerance_axis(axes)


def tolerance_axis(axes: Axes) -> None:
    """Set up the axes of mAP over the tolerance."""
    axes.set(xscale="log", xlabel="tolerance δ, s", ylabel="mAP, %", xlim=(1, 60), ylim=(0, None))
    axes.set_xticks(ticks := [1, 2, 5, 10, 20, 60], [str(tick) for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.legend(frameon=False)


def _precision_recall(axes: Axes, analysis: Analysis) -> None:
    judged = analysis.default
    for row, (precision, recall) in enumerate(zip(judged.precision, judged.recall, strict=True)):
        shown, last = (precision > 0) | (recall > 0), row == len(judged.precision) - 1
        style: dict[str, Any] = {"color": INK, "linewidth": 2.2} if last else {"color": "#999999", "linewidth": 0.7}
        label = "all together" if last else "one class" if row == 0 else None
        axes.plot(100 * recall[shown], 100 * precision[shown], label=label, **style)
    axes.set(xlabel="recall, %", ylabel="precision, %", xlim=(0, 101), ylim=(0, 103), title=f"δ = {judged.tolerance} s")
    axes.legend(frameon=False, loc="lower left")


def _class_scores(axes: Axes, analysis: Analysis) -> None:
    names, places = analysis.errors.task.classes, np.arange(len(analysis.errors.task.classes))
    for shift, (score, color) in enumerate((("tight", INK), ("loose", "#9fc9b8"))):
        values = [100 * analysis.metrics[score]["per_class"][name] for name in names]
        axes.barh(places + 0.38 * shift - 0.19, values, 0.36, label=score, color=color)
    axes.set_yticks(places, names)
    axes.set(xlabel="AP, %", xlim=(0, 100))
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.legend(frameon=False, loc="lower right")


def _causes(axes: Axes, analysis: Analysis) -> None:
    counts = analysis.cause_counts(analysis.default)
    stack(
        axes, np.vstack([counts.sum(axis=0), counts]), CAUSES, ["All", *analysis.errors.task.classes], "predictions, %"
    )


def _outcomes(axes: Axes, analysis: Analysis) -> None:
    counts = analysis.outcome_counts(analysis.default)
    stack(axes, np.vstack([counts.sum(axis=0), counts]), OUTCOMES, ["All", *analysis.errors.task.classes], "labels, %")


def stack(axes: Axes, counts: Ints, names: tuple[str, ...], rows: list[str], label: str) -> None:
    """Draw counts (R, N) as one bar of fractions for each of the ``rows``."""
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    begin = np.cumsum(percent, axis=1) - percent
    for index, name in enumerate(names):
        axes.barh(np.arange(len(rows)), percent[:, index], 0.72, left=begin[:, index], color=COLORS[name], label=name)
    axes.set_yticks(np.arange(len(rows)), rows)
    axes.set(xlabel=label, xlim=(0, 100))
    axes.invert_yaxis()
    axes.grid(False)
    axes.legend(
        frameon=False, ncols=len(names), loc="lower center", bbox_to_anchor=(0.45, 1), columnspacing=1, handlelength=1
    )


def _costs(axes: Axes, analysis: Analysis) -> None:
    costs = {error: 100 * analysis.default.costs[error][0].mean() for error in ERRORS}
    names = sorted(costs, key=lambda error: costs[error])
    axes.barh(names, [costs[name] for name in names], 0.6, color=[COLORS[name] for name in names])
    axes.set(xlabel=f"points of {monitor_text(analysis)} gained without it")
    axes.grid(False, axis="y")


def monitor_text(analysis: Analysis) -> str:
    """Return the name of the task's own score as a reader knows it."""
    return analysis.errors.task.monitor.replace("_", " ").replace("map", "mAP")


def _displacements(axes: Axes, analysis: Analysis) -> None:
    judged = analysis.default
    radius = AROUND * judged.tolerance / 2
    axes.hist(displacements(analysis), np.linspace(-radius, radius, 61).tolist(), color=INK)
    displacement_axis(axes, analysis)


def displacements(analysis: Analysis) -> Floats:
    """Return how much later than its label the prediction around each label is, in seconds, where there is one."""
    judged, errors = analysis.default, analysis.errors
    rows = np.flatnonzero(
        np.append(errors.detections.value, -1)[judged.errors.around] >= METRIC_THRESHOLDS[judged.threshold]
    )
    return errors.detections.time[judged.errors.around[rows]] - errors.events.time[rows]


def displacement_axis(axes: Axes, analysis: Analysis) -> None:
    """Set up the axes of labels over displacements."""
    judged = analysis.default
    radius = AROUND * judged.tolerance / 2
    for edge in (-judged.tolerance / 2, judged.tolerance / 2):
        axes.axvline(edge, color="#777777", linewidth=0.8, linestyle=":")
    axes.set(xlabel="prediction − label, s (dotted: ±δ/2)", ylabel="labels", xlim=(-radius, radius))


# name: how it is drawn, width and height in inches, None for one that grows with the number of classes
FIGURES: dict[str, tuple[Callable[[Axes, Analysis], None], float, float | None]] = {
    "tolerance_curve": (_tolerance_curve, 3.4, 2.6),
    "precision_recall": (_precision_recall, 3.4, 2.6),
    "class_scores": (_class_scores, 4.6, None),
    "causes": (_causes, 5.6, None),
    "outcomes": (_outcomes, 5.6, None),
    "costs": (_costs, 3.8, 2.6),
    "displacements": (_displacements, 3.8, 2.6),
}
