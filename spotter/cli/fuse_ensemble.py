"""What ``spotter fuse`` makes of several runs on one split: scores, files and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from spotter.evaluation.average_map import average_map
from spotter.evaluation.metrics import monitored
from spotter.evaluation.report import write_report
from spotter.inference.decode import decode
from spotter.inference.fuse import Weights
from spotter.inference.runs import RunScores, fuse_runs
from spotter.io.files import atomic_write
from spotter.io.predictions import write_scored
from spotter.io.scores import Scores, ScoresInfo, delete_scores, save_scores, save_scores_info
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Metrics, Spots

SUMMARIES = ("metrics.json", "fuse.json", "report.html")  # they are of all halves: deleted before one changes


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Hold the scores of several runs on one split.

    displacement : the run that alone gives displacements, if any
    labels : None where there are none
    """

    runs: Sequence[RunScores]
    displacement: RunScores | None
    labels: Mapping[Half, Spots] | None

    @property
    def task(self) -> Task:
        """Return the task of all runs."""
        return self.runs[0].info.task

    @property
    def split(self) -> str:
        """Return the split of all runs."""
        return self.runs[0].info.split

    @property
    def postprocesses(self) -> list[Postprocess]:
        """Return how each run was suppressed."""
        return [run.info.postprocess for run in self.runs]

    def fuse(self, weights: Weights) -> dict[Half, Scores]:
        """Return the fused scores of all halves."""
        return fuse_runs(self.runs, weights, self.displacement)

    def score(
        self, scores: Mapping[Half, Scores], postprocess: Postprocess
    ) -> tuple[dict[Half, HalfPredictions], Metrics]:
        """Return predictions and their metrics, which without labels hold only the suppression."""
        predictions = {half: decode(raw, postprocess, self.task.fps, self.task.sides) for half, raw in scores.items()}
        metrics = {} if self.labels is None else average_map(self.labels, predictions, self.task)
        return predictions, {**metrics, "postprocess": postprocess.to_dict()}

    def metrics(self) -> list[Metrics]:
        """Return the metrics of each run alone, with its own suppression."""
        return [self.score(run.halves, run.info.postprocess)[1] for run in self.runs]

    def write(
        self,
        out: Path,
        scores: Mapping[Half, Scores],
        predictions: Mapping[Half, HalfPredictions],
        metrics: Metrics,
        summary: Mapping[str, Any],
    ) -> None:
        """Write a prediction as ``spotter predict`` does, and ``fuse.json`` with the ``summary`` of the fusion."""
        for name in SUMMARIES:
            (out / name).unlink(missing_ok=True)
        # First, so that the next fusion may overwrite what follows even if this one is interrupted.
        atomic_write(out / "fuse.json", orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        written = Postprocess.load(metrics["postprocess"])
        delete_scores(out / "scores")
        save_scores_info(out / "scores", ScoresInfo(self.task, self.split, written, tuple(scores)))
        for half, raw in scores.items():
            save_scores(out / "scores", half, raw)
        write_scored(out, predictions, self.task, None if self.labels is None else metrics, self.split)
        labels = self.labels and {half: self.labels[half] for half in predictions if half in self.labels}
        title = "/".join(out.absolute().parts[-2:])
        write_report(
            out / "report.html", predictions, self.task, labels, metrics=metrics, title=title, split=self.split
        )


def summarise_fusion(
    runs: Sequence[Path], weights: Weights, displacement: Path | None, metrics: Mapping[str, list[Metrics]], task: Task
) -> dict[str, Any]:
    """Return what ``fuse.json`` holds: the runs with their weights, and by split the score of each and of the fusion.

    metrics : by split, of each run alone and last of the fusion
    """
    scored = {split: [monitored(one, task.monitor) for one in each] for split, each in metrics.items()}
    rows = zip(runs, weights, strict=True)
    return {
        "monitor": task.monitor,
        "runs": [
            {"scores": str(run), "weight": weight} | {split: each[row] for split, each in scored.items()}
            for row, (run, weight) in enumerate(rows)
        ],
        "displacement": None if displacement is None else str(displacement),
        "fusion": {split: each[-1] for split, each in scored.items()},
    }


def fusion_table(
    runs: Sequence[Path],
    weights: Weights,
    postprocesses: Sequence[Postprocess],
    metrics: Mapping[str, list[Metrics]],
    task: Task,
) -> Table:
    """Return the runs and, last, the fusion: weight, suppression and scores by split, in percent."""
    names = list(dict.fromkeys((task.monitor, "tight_map", "loose_map")))
    columns = [(split, name) for split in metrics for name in names]
    headers = (Column(f"{split}\n{name}", justify="right", no_wrap=True) for split, name in columns)
    table = Table(Column("run", overflow="fold"), Column("weight", justify="right"), "suppression", *headers)
    table.box = SIMPLE_HEAD
    weight_texts = [*(f"{weight:.2f}" for weight in weights), ""]
    for row, (run, weight, postprocess) in enumerate(
        zip([*map(str, runs), "fusion"], weight_texts, postprocesses, strict=True)
    ):
        cells = [f"{100 * monitored(metrics[split][row], name):.2f}" for split, name in columns]
        table.add_row(Text(run), weight, describe(postprocess), *cells, style="bold" if row == len(runs) else None)
    return table


def describe(postprocess: Postprocess) -> str:
    """Return a suppression in a few words."""
    window = "per class" if isinstance(postprocess.window, tuple) else f"{postprocess.window:g} s"
    threshold = f" from {postprocess.threshold:g} up" if postprocess.threshold else ""
    return f"{postprocess.method} {window}{threshold}"
