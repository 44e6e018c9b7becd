"""Predict halves on all ranks and write all that belongs to the result."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rich.console import Group

from spotter.evaluation.anticipation import after_clips
from spotter.evaluation.average_map import score_predictions
from spotter.evaluation.f1 import f1_scores
from spotter.evaluation.table import f1_table, metrics_table
from spotter.inference.engine import Compute, Outputs
from spotter.inference.inputs import Input
from spotter.inference.predict import merge, predict_records, say_broken_rows
from spotter.inference.ranks import barrier, broadcast, gather, rank_and_world
from spotter.io.predictions import write_scored
from spotter.io.scores import ScoresInfo, delete_scores, save_scores, save_scores_info
from spotter.models.system import System
from spotter.progress import ProgressDisplay
from spotter.training.callbacks.progress import show
from spotter.training.report import report
from spotter.types import Half, HalfPredictions, Metrics, TargetMaker


def predict_input(
    system: System,
    given: Input,
    out: Path,
    compute: Compute,
    save: bool = True,
    report_to: Path | None = None,
    threshold: float | None = None,
    outputs: Outputs | None = None,
    targets: TargetMaker | None = None,
) -> tuple[dict[Half, HalfPredictions], Metrics | None]:
    """Return predictions, on rank 0 alone, and their metrics, None without labels.

    Written to ``out``: official JSON and zip, ``metrics.json`` where there are labels, raw scores in ``scores/``; of
    what is anticipated, one result file and ``metrics.json``.

    save : write raw scores
    report_to : where a report is written, if anywhere
    threshold : the confidence from which the report shows spots at first
    outputs, targets : see ``predict_records``
    """
    if system.spec.anticipates:
        save, report_to = False, None
    first, folder, frames = rank_and_world()[0] == 0, out / "scores", sum(each.frames for each in given.records)
    halves = tuple(record.half for record in given.records)
    if first:
        delete_scores(folder)
    if first and save:
        save_scores_info(folder, ScoresInfo(system.task, given.split, system.postprocess, halves))
    barrier()  # no rank writes scores before old ones are gone
    keep = partial(save_scores, folder) if save else None
    with ProgressDisplay(frames, "frames", shown=first) as watch:
        mine = predict_records(system, given.source, given.records, compute, keep, watch.update, outputs, targets)
    say_broken_rows(system, given.source, given.records)
    predictions, metrics = merge(gather(mine), given.records), None
    if first:
        metrics = score_predictions(predictions, given.records, system.task, system.postprocess)
        write_scored(out, predictions, system.task, metrics, given.split)
        if metrics is not None:
            labels = {each.half: each.spots for each in given.records if each.spots is not None}
            if system.spec.anticipates:
                labels, _ = after_clips(labels, {})
            f1 = f1_scores(labels, predictions, system.task, threshold=threshold)
            show(Group(metrics_table(metrics, title=given.split), f1_table({"by action": f1}, classes=False)))
        if report_to is not None:
            report(report_to, given, predictions, metrics, system.task, system.postprocess, threshold)
    return predictions, broadcast(metrics)
