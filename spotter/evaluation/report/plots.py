"""Write the figures of a report for papers: PDF, SVG and PNG by matplotlib, an optional extra."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from spotter.errors import UserError
from spotter.evaluation.report.analysis import Analysis
from spotter.evaluation.report.comparison_figures import COMPARISONS
from spotter.evaluation.report.figures import FIGURES
from spotter.io.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Subject = TypeVar("Subject")
FORMATS = ("pdf", "svg", "png")
STYLE: Any = {
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


def write_plots(folder: str | Path, systems: Mapping[str, Analysis]) -> list[Path]:
    """Write every figure in every format and return the files: of one system in detail, or of several side by side.

    Raises UserError where matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("plots need matplotlib: pip install matplotlib") from error
    written = []
    for name, draw, size in _figures(systems):
        with rc_context(STYLE):
            figure = Figure(figsize=size, layout="constrained")
            draw(figure.add_subplot())
            for kind in FORMATS:
                content = BytesIO()
                metadata = {"png": None, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[kind]
                figure.savefig(content, format=kind, dpi=200, metadata=metadata)
                written.append(Path(folder, f"{name}.{kind}"))
                atomic_write(written[-1], content.getvalue())
    return written


def _figures(systems: Mapping[str, Analysis]) -> Iterator[tuple[str, Callable[[Axes], None], tuple[float, float]]]:
    """Yield name, drawing and size in inches of each figure."""
    first = next(iter(systems.values()))
    if len(systems) > 1:
        for name, (compare, width, bars) in COMPARISONS.items():
            count = bars(first) * len(systems)
            yield name, _bound(compare, systems), (width, 1.2 + 0.21 * count if count else 2.6)
        return
    for name, (draw, width, height) in FIGURES.items():
        tall = 1.2 + 0.21 * len(first.errors.task.classes)
        yield name, _bound(draw, first), (width, height or tall)


def _bound(draw: Callable[[Axes, Subject], None], subject: Subject) -> Callable[[Axes], None]:
    return lambda axes: draw(axes, subject)
