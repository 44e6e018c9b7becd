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
from spotter.inference.runs import Run, fuse_runs
from spotter.io.files import atomic_write
from spotter.io.predictions import write_scored
from spotter.io.scores import Header, Scores, forget_scores, save_header, save_scores
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

Form = dict[str, Any]
WHOLE = ("metrics.json", "fuse.json", "report.html")  # what tells of all halves goes before anything changes


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Hold the scores of several runs on one split, that of which displacements are taken alone, and labels if any."""

    runs: Sequence[Run]
    displacement: Run | None
    labels: Mapping[Half, Spots] | None

    @property
    def task(self) -> Task:
        """Return the task of all runs."""
        return self.runs[0].header.task

    @property
    def split(self) -> str:
        """Return the split of all runs."""
        return self.runs[0].header.split

    @property
    def postprocesses(self) -> list[Postprocess]:
        """Return how each run was suppressed."""
        return [run.header.postprocess for run in self.runs]

    def fused(self, weights: Weights) -> dict[Half, Scores]:
        """Return the fused scores of all halves."""
        return fuse_runs(self.runs, weights, self.displacement)

    def score(
        self, scores: Mapping[Half, Scores], postprocess: Postprocess
    ) -> tuple[dict[Half, HalfPredictions], Form]:
        """Return predictions and their form, which without labels says only how they were suppressed."""
        predictions = {half: decode(raw, postprocess, self.task.fps) for half, raw in scores.items()}
        form = {} if self.labels is None else average_map(self.labels, predictions, self.task)
        return predictions, {**form, "postprocess": postprocess.to_dict()}

    def forms(self) -> list[Form]:
        """Return the form of each run alone, suppressed as its own header says."""
        return [self.score(run.halves, run.header.postprocess)[1] for run in self.runs]

    def write(
        self,
        out: Path,
        scores: Mapping[Half, Scores],
        predictions: Mapping[Half, HalfPredictions],
        form: Form,
        summary: Mapping[str, Any],
    ) -> None:
        """Write a prediction as ``predict.py`` does, and ``fuse.json`` with the ``summary`` of the fusion."""
        for name in WHOLE:
            (out / name).unlink(missing_ok=True)
        # First: it says that the next fusion may overwrite what follows, also when this one is interrupted.
        atomic_write(out / "fuse.json", orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        forget_scores(out / "scores")
        save_header(out / "scores", Header(self.task, self.split, Postprocess.load(form["postprocess"])))
        for half, raw in scores.items():
            save_scores(out / "scores", half, raw)
        write_scored(out, predictions, self.task, None if self.labels is None else form, self.split)
        labels = self.labels and {half: self.labels[half] for half in predictions}
        title = "/".join(out.absolute().parts[-2:])
        write_report(out / "report.html", predictions, self.task, labels, metrics=form, title=title, split=self.split)


def summarise(
    runs: Sequence[Path], weights: Weights, displacement: Path | None, forms: Mapping[str, list[Form]], task: Task
) -> dict[str, Any]:
    """Return what ``fuse.json`` holds: the runs with their weights, and by split what each and the fusion scored.

    forms : of each run alone, last of the fusion, by split
    """
    scored = {split: [monitored(form, task.monitor) for form in each] for split, each in forms.items()}
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


def table(
    runs: Sequence[Path],
    weights: Weights,
    postprocesses: Sequence[Postprocess],
    forms: Mapping[str, list[Form]],
    task: Task,
) -> Table:
    """Return the runs and, last, the fusion: weight, suppression and scores by split, in percent."""
    names = list(dict.fromkeys((task.monitor, "tight_map", "loose_map")))
    columns = [(split, name) for split in forms for name in names]
    headers = (Column(f"{split}\n{name}", justify="right", no_wrap=True) for split, name in columns)
    shown = Table(Column("run", overflow="fold"), Column("weight", justify="right"), "suppression", *headers)
    shown.box = SIMPLE_HEAD
    told = [*(f"{weight:.2f}" for weight in weights), ""]
    for row, (run, weight, postprocess) in enumerate(
        zip([*map(str, runs), "fusion"], told, postprocesses, strict=True)
    ):
        cells = [f"{100 * monitored(forms[split][row], name):.2f}" for split, name in columns]
        shown.add_row(Text(run), weight, brief(postprocess), *cells, style="bold" if row == len(runs) else None)
    return shown


def brief(postprocess: Postprocess) -> str:
    """Return a suppression in a few words."""
    window = "per class" if isinstance(postprocess.window, tuple) else f"{postprocess.window:g} s"
    threshold = f" from {postprocess.threshold:g} up" if postprocess.threshold else ""
    return f"{postprocess.method} {window}{threshold}"
