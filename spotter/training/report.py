"""The report of what was predicted, written beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spotter.evaluation.report import video_link, write_report
from spotter.training.datamodule import SpottingDataModule
from spotter.types import Half, HalfPredictions


def report(
    path: Path,
    data: SpottingDataModule,
    split: str,
    predictions: Mapping[Half, HalfPredictions],
    form: Mapping[str, Any] | None,
    postprocess: Mapping[str, Any],
    threshold: float | None = None,
) -> None:
    """Write ``path``: the scores and errors of a split where it has labels, and the timelines of its halves."""
    labels = {record.half: record.spots for record in data.records[split] if record.spots is not None}
    found = {half: data.source.video(half) for half in predictions}
    write_report(
        path,
        predictions,
        data.task,
        None if form is None else {half: labels[half] for half in predictions},
        metrics=form or {"postprocess": postprocess},
        title="/".join(path.absolute().parent.parts[-2:]),
        split=split,
        threshold=threshold,
        videos={half: [video_link(video.absolute(), path)] for half, video in found.items() if video is not None},
    )
