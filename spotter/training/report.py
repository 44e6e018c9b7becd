"""The report of what was predicted, written beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from spotter.evaluation.report import video_link, write_report
from spotter.inference.inputs import Input
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Metrics


def report(
    path: Path,
    given: Input,
    predictions: Mapping[Half, HalfPredictions],
    metrics: Metrics | None,
    task: Task,
    postprocess: Postprocess,
    threshold: float | None = None,
) -> None:
    """Write ``path``: the scores and errors of predictions where there are labels, and the timelines of halves.

    threshold : the confidence from which it shows spots at first
    """
    labels = {record.half: record.spots for record in given.records if record.spots is not None}
    seconds = {each.half: given.source.offset(each.half) + each.frames / given.source.fps for each in given.records}
    files = {half: given.source.video(half) for half in predictions}
    write_report(
        path,
        predictions,
        task,
        None if metrics is None else {half: labels[half] for half in predictions},
        metrics=metrics or {"postprocess": postprocess.to_dict()},
        title="/".join(path.absolute().parent.parts[-2:]),
        split=given.split,
        threshold=threshold,
        seconds=seconds,
        # relative, for reports are passed on: no folder of this machine is named from its root on
        videos={half: [video_link(os.path.relpath(video), path)] for half, video in files.items() if video is not None},
    )
