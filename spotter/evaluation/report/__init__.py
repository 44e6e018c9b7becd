"""A report on predictions, as one HTML file that opens offline."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from spotter.evaluation.events import THRESHOLDS
from spotter.evaluation.report.analysis import analyse
from spotter.evaluation.report.columns import (
    columns_of_curves,
    columns_of_labels,
    columns_of_spots,
    floor_of,
    packed,
    predicted_rows,
)
from spotter.evaluation.report.page import page
from spotter.evaluation.report.summary import UNSCORED_THRESHOLD, summary_of
from spotter.io.files import atomic_write
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

__all__ = ["video_link", "write_report"]


def write_report(
    path: str | Path,
    predictions: Mapping[Half, HalfPredictions],
    task: Task,
    labels: Mapping[Half, Spots] | None = None,
    *,
    form: Mapping[str, Any] | None = None,
    title: str = "",
    split: str | None = None,
    videos: Mapping[Half, Sequence[str]] | None = None,
) -> None:
    """Write one self-contained HTML file: scores, curves, errors by cause, and a timeline of every half.

    labels : those of the halves that are scored; without any, the report has only timelines and spots
    form : scores as ``average_map`` returns them; computed if they are not given. Its ``postprocess`` is shown
    split : a name for the games, where they are no official split
    videos : links to each half's video, of which the browser takes the first that it finds (``video_link``)
    """
    if labels:
        analysis = analyse(labels, predictions, task, form)
        halves, rows = analysis.errors.halves, analysis.errors.detections
        judged, threshold = analysis.judged, min(each.threshold for each in analysis.judged)
    else:
        analysis, judged, threshold = None, (), UNSCORED_THRESHOLD
        halves = sorted(predictions)
        rows = predicted_rows(predictions, halves, task)
    floor = floor_of(rows.value, float(THRESHOLDS[threshold]))
    columns = columns_of_spots(rows, len(halves), floor, judged) | columns_of_curves(judged)
    content, layout = packed(columns | (columns_of_labels(analysis) if analysis else {}))
    summary = summary_of(task, halves, analysis, form, split) | {
        "columns": layout,
        "floor": floor,
        "lowest": int(np.searchsorted(THRESHOLDS, floor)),
        "kept": int(np.count_nonzero(rows.value >= floor)),
        "total": len(rows),
        "videos": [list((videos or {}).get(half, ())) for half in halves],
    }
    atomic_write(path, page(title or "Spotting report", summary, content))


def video_link(video: str | Path, report: str | Path) -> str:
    """Return how a report refers to a video: absolute paths as file URLs, others relative to the report's folder."""
    video = Path(video)
    if video.is_absolute():
        return video.as_uri()
    return quote(Path(os.path.relpath(video, Path(report).parent)).as_posix())
