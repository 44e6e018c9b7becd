"""A report on predictions, as one HTML file that opens offline."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from spotter.evaluation.columns import detection_columns
from spotter.evaluation.f1 import f1_scores
from spotter.evaluation.report.analysis import analyse
from spotter.evaluation.report.packing import (
    choose_floor,
    pack,
    pack_curves,
    pack_labels,
    pack_spots,
)
from spotter.evaluation.report.page import render_page
from spotter.evaluation.report.shots import Broadcast, describe_shots
from spotter.evaluation.report.summary import UNSCORED_THRESHOLD, compare_scores, summarise_predictions
from spotter.io.files import atomic_write
from spotter.tasks import Task
from spotter.types import METRIC_THRESHOLDS, Half, HalfPredictions, Metrics, Period, Spots

__all__ = ["video_link", "write_report"]


def write_report(
    path: str | Path,
    predictions: Mapping[Half, HalfPredictions],
    task: Task,
    labels: Mapping[Half, Spots] | None = None,
    *,
    metrics: Metrics | None = None,
    title: str = "",
    split: str | None = None,
    videos: Mapping[Half, Sequence[str]] | None = None,
    threshold: float | None = None,
    broadcast: Broadcast | None = None,
    seconds: Mapping[Half, float] | None = None,
    systems: Mapping[str, Metrics] | None = None,
    playing: bool = False,
) -> None:
    """Write one self-contained HTML file: scores, curves, errors by cause, and a timeline of every half.

    labels : those of the halves that are scored; without any, the report has only timelines and spots
    metrics : as ``average_map`` returns them; computed if they are not given. Their ``postprocess`` is shown
    split : a name for the games, where they are no official split
    threshold : the confidence from which spots are shown first; by default that of the best F1, or 0.2 without labels
    broadcast : camera shots, and answers to replays, to show above the timeline
    systems : metrics of several systems for the same games, by name, which are compared; these predictions' own first
    seconds : how long each half is, where that is known
    videos : links to each half's video, of which the browser takes the first that it finds (``video_link``)
    playing : the page opens at the timeline, with the first video playing, muted
    """
    if labels:
        analysis = analyse(labels, predictions, task, metrics)
        halves, rows, judged = analysis.errors.halves, analysis.errors.detections, analysis.judged
        first = analysis.default.threshold
    else:
        analysis, judged, halves, first = None, (), sorted(predictions), UNSCORED_THRESHOLD
        rows = detection_columns(predictions, halves, task)
    if threshold is not None:
        first = max(
            0, int(np.searchsorted(METRIC_THRESHOLDS, threshold, side="right")) - 1
        )  # nothing that reaches it is hidden
    lowest = min([first, *(each.threshold for each in judged)])
    floor = choose_floor(rows.value, float(METRIC_THRESHOLDS[lowest]))
    columns = pack_spots(rows, len(halves), floor, judged) | pack_curves(judged)
    content, layout = pack(columns | (pack_labels(analysis) if analysis else {}))
    placed = {half: _place(predictions.get(half), (seconds or {}).get(half)) for half in halves}
    f1 = f1_scores({half: labels[half] for half in halves}, predictions, task) if labels else None
    summary = summarise_predictions(task, halves, analysis, metrics, split, placed, f1) | {
        "systems": compare_scores(systems or {}, task),
        "threshold": first,
        "columns": layout,
        "floor": floor,
        "lowest": int(np.searchsorted(METRIC_THRESHOLDS, floor)),
        "kept": int(np.count_nonzero(rows.value >= floor)),
        "total": len(rows),
        "shots": describe_shots(broadcast, halves),
        "videos": [list((videos or {}).get(half, ())) for half in halves],
        "playing": playing,
    }
    atomic_write(path, render_page(title or "Spotting report", summary, content))


def _place(rows: HalfPredictions | None, seconds: float | None) -> Period:
    """Return where a half begins in its video, and where it ends, as far as that is known."""
    if rows is not None and rows.period is not None:
        return rows.period
    return Period(0.0) if seconds is None else Period(0.0, seconds)


def video_link(video: str | Path, report: str | Path) -> str:
    """Return how a report refers to a video: absolute paths as file URLs, others relative to the report's folder."""
    video = Path(video)
    if video.is_absolute():
        return video.as_uri()
    return quote(Path(os.path.relpath(video, Path(report).parent)).as_posix())
