"""What the W&B dashboard shows beside curves: tables, charts and images of what was scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import wandb

from spotter.data.statistics import SplitStatistics
from spotter.evaluation.average_map import SECONDS, VIEWS, average_precision, precision_recall
from spotter.evaluation.events import ALL, MetricEvents
from spotter.evaluation.metrics import monitored_classes, monitored_tolerances, parse_monitor
from spotter.tasks import Task
from spotter.training.loggers.timeline import draw_timeline
from spotter.types import Half, HalfPredictions, HalfRecord, Metrics

if TYPE_CHECKING:
    from wandb.plot.custom_chart import CustomChart

LONGEST = 5  # seconds; precision and recall are shown at the monitor's longest tolerance up to this one


def class_table(metrics: Metrics, events: MetricEvents, task: Task) -> wandb.Table:
    """Return one row per class: its spots, those not shown if there are any, and its AP, tight and loose."""
    views = views_of(events)
    places = [(name, view) for name in ("tight", "loose") for view in views]
    counted = {"spots": ALL, "not shown": -1} if len(views) > 1 else {"spots": ALL}
    columns: list[str | int] = ["class", *counted, *(f"{name}{view}" for name, view in places)]
    rows = [
        [name, *(int(events.event_counts[row, k]) for row in counted.values())]
        + [metrics[at][f"per_class{view}"][name] for at, view in places]
        for k, name in enumerate(task.classes)
    ]
    return wandb.Table(columns=columns, data=rows)


def views_of(events: MetricEvents) -> tuple[str, ...]:
    """Return the views that say something: shown and unshown only where the labels tell them apart."""
    return VIEWS if events.event_counts[-1].any() else VIEWS[:1]


def ap_chart(metrics: Metrics, task: Task) -> CustomChart:
    """Return a bar for each class that has labels: its AP in the score that the task is judged by."""
    tolerance, _ = parse_monitor(task.monitor)
    rows = [[name, ap] for name, ap in monitored_classes(metrics, task.monitor).items() if ap is not None]
    table = wandb.Table(columns=["class", "AP"], data=rows)
    return wandb.plot.bar(table, "class", "AP", title=f"AP per class, {tolerance.replace('_', ' ')}")


def precision_recall_chart(events: MetricEvents, task: Task) -> CustomChart:
    """Return precision over recall, a line a class that has spots."""
    seconds = max(seconds for seconds in monitored_tolerances(task) if seconds <= LONGEST)
    precision, recall = (values[ALL] for values in precision_recall(events, seconds))
    known = [k for k in range(len(task.classes)) if events.event_counts[ALL, k]]
    reached = [events.detection_counts[ALL, k] > 0 for k in known]
    return wandb.plot.line_series(
        xs=[recall[k, some].tolist() for k, some in zip(known, reached, strict=True)],
        ys=[precision[k, some].tolist() for k, some in zip(known, reached, strict=True)],
        keys=[task.classes[k] for k in known],
        title=f"precision over recall at a tolerance of {seconds:g} s",
        xname="recall",
    )


def tolerance_chart(events: MetricEvents) -> CustomChart:
    """Return the mAP over the tolerance, 1 to 60 s, a line a view."""
    names = [view.strip("_") or "all" for view in views_of(events)]
    means = average_precision(events, SECONDS).mean(axis=-1)[:, : len(names)]  # (T, views)
    return wandb.plot.line_series(
        xs=list(SECONDS), ys=means.T.tolist(), keys=names, title="mAP over tolerance", xname="tolerance, s"
    )


def timelines(
    records: Sequence[HalfRecord], predictions: Mapping[Half, HalfPredictions], task: Task, fps: float, most: int
) -> list[wandb.Image]:
    """Return images of the same halves each time, evenly spread over those of the split."""
    rows = np.unique(np.linspace(0, len(records) - 1, min(most, len(records))).astype(int))
    images = []
    for record in (records[row] for row in rows):
        if record.spots is not None and record.half in predictions:
            seconds = record.frames / fps
            drawn = draw_timeline(record.half, seconds, record.spots, predictions[record.half], task.classes)
            images.append(wandb.Image(drawn, caption=f"{record.half.game}, half {record.half.number}"))
    return images


def statistics_table(counts: Mapping[str, SplitStatistics]) -> wandb.Table:
    """Return the number of spots, one row per class and one column per split."""
    classes = next(iter(counts.values()))["per_class"]
    rows = [[name, *(count["per_class"][name] for count in counts.values())] for name in classes]
    return wandb.Table(columns=["class", *counts], data=rows)


def artifact(path: Path, kind: str, run: wandb.Run, **metadata: float | None) -> wandb.Artifact:
    """Return a file of the run as an artifact that is uploaded from where it lies."""
    made = wandb.Artifact(f"{path.stem}-{run.id}", kind, metadata=metadata)
    made.add_file(str(path), policy="immutable", skip_cache=True)
    return made
