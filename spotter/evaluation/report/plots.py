"""The figures of a report for papers: PDF, SVG and PNG by matplotlib, an optional extra."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spotter.errors import UserError
from spotter.evaluation.errors import AROUND, CAUSES, ERRORS, FATES
from spotter.evaluation.events import THRESHOLDS
from spotter.evaluation.report.analysis import DELTAS, Analysis
from spotter.io.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("pdf", "svg", "png")
COLORS = {  # those of the page; distinct to colour-blind readers too
    "right": "#009e73",
    "found": "#009e73",
    "displaced": "#e69f00",
    "wrong class": "#b4569a",
    "duplicate": "#2f8fd0",
    "background": "#878d94",
    "missed": "#d55e00",
}
INK = "#0b6e4f"


def write_plots(folder: str | Path, analysis: Analysis) -> list[Path]:
    """Write every figure in every format; return the files. Raises UserError where matplotlib is not installed."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("plots need matplotlib: pip install 'spotter[plots]'") from error
    style: Any = {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.linewidth": 0.4,
        "grid.color": "#dddddd",
        "svg.fonttype": "none",
        "svg.hashsalt": "spotter",  # the same figure gives the same bytes
    }
    written = []
    for name, (draw, width, height) in FIGURES.items():
        with rc_context(style):
            figure = Figure(figsize=(width, height(analysis)), layout="constrained")
            draw(figure.add_subplot(), analysis)
            for kind in FORMATS:
                content = BytesIO()
                metadata = {"png": None, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[kind]
                figure.savefig(content, format=kind, dpi=200, metadata=metadata)
                written.append(Path(folder, f"{name}.{kind}"))
                atomic_write(written[-1], content.getvalue())
    return written


def _tolerance_curve(axes: Axes, analysis: Analysis) -> None:
    for view, (name, color) in enumerate((("all", INK), ("shown", "#2f8fd0"), ("not shown", "#e69f00"))):
        axes.plot(
            DELTAS, 100 * analysis.delta[:, view].mean(axis=-1), label=name, color=color, linewidth=2 - 0.6 * (view > 0)
        )
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
        values = [100 * analysis.form[score]["per_class"][name] for name in names]
        axes.barh(places + 0.38 * shift - 0.19, values, 0.36, label=score, color=color)
    axes.set_yticks(places, names)
    axes.set(xlabel="AP, %", xlim=(0, 100))
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.legend(frameon=False, loc="lower right")


def _causes(axes: Axes, analysis: Analysis) -> None:
    counts = analysis.causes(analysis.default)
    _stack(
        axes, np.vstack([counts.sum(axis=0), counts]), CAUSES, ["All", *analysis.errors.task.classes], "predictions, %"
    )


def _fates(axes: Axes, analysis: Analysis) -> None:
    classes = len(analysis.errors.task.classes)
    cell = analysis.errors.events.label * len(FATES) + analysis.fates(analysis.default)
    counts = np.bincount(cell, minlength=classes * len(FATES)).reshape(classes, -1)
    _stack(axes, np.vstack([counts.sum(axis=0), counts]), FATES, ["All", *analysis.errors.task.classes], "labels, %")


def _stack(axes: Axes, counts: Any, names: tuple[str, ...], rows: list[str], label: str) -> None:
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    begin = np.cumsum(shares, axis=1) - shares
    for index, name in enumerate(names):
        axes.barh(np.arange(len(rows)), shares[:, index], 0.72, left=begin[:, index], color=COLORS[name], label=name)
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
    monitor = analysis.errors.task.monitor.replace("_", " ").replace("map", "mAP")
    axes.set(xlabel=f"points of {monitor} gained without it")
    axes.grid(False, axis="y")


def _displacements(axes: Axes, analysis: Analysis) -> None:
    judged, errors = analysis.default, analysis.errors
    rows = np.flatnonzero(np.append(errors.detections.value, -1)[judged.errors.around] >= THRESHOLDS[judged.threshold])
    offset = errors.detections.time[judged.errors.around[rows]] - errors.events.time[rows]
    reach = AROUND * judged.tolerance / 2
    axes.hist(offset, np.linspace(-reach, reach, 61).tolist(), color=INK)
    for edge in (-judged.tolerance / 2, judged.tolerance / 2):
        axes.axvline(edge, color="#777777", linewidth=0.8, linestyle=":")
    axes.set(xlabel="prediction − label, s (dotted: ±δ/2)", ylabel="labels", xlim=(-reach, reach))


def _flat(_: Analysis) -> float:
    return 2.6


def _tall(analysis: Analysis) -> float:
    return 1.2 + 0.21 * len(analysis.errors.task.classes)


FIGURES: dict[str, tuple[Callable[[Axes, Analysis], None], float, Callable[[Analysis], float]]] = {
    "tolerance_curve": (_tolerance_curve, 3.4, _flat),
    "precision_recall": (_precision_recall, 3.4, _flat),
    "class_scores": (_class_scores, 4.6, _tall),
    "causes": (_causes, 5.6, _tall),
    "fates": (_fates, 5.6, _tall),
    "costs": (_costs, 3.8, _flat),
    "displacements": (_displacements, 3.8, _flat),
}
