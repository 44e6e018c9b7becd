"""Compare the systems of a sweep on the same games: means over seeds, and paired differences to the best of them.

A job of the sweep is a system (``model=``) with one seed on one data set (``data=``). What it reaches in resamples of
the games is kept in its folder, so that a sweep that goes on computes it for new jobs only.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from spotter.cli.job_config import read_job_config, root_of_job
from spotter.cli.jobs_table import JobsTable, choices_of_job, finished_jobs, markdown_table, mean_cost
from spotter.cli.spread import percent, spread
from spotter.evaluation.bootstrap import difference, draw_resamples, score_resamples
from spotter.evaluation.evaluate import load_evaluation
from spotter.evaluation.frames import score_names
from spotter.evaluation.metrics import TEAM_VIEW, parse_monitor
from spotter.io.files import atomic_write, json_bytes
from spotter.tasks import Task

log = logging.getLogger(__name__)
RESAMPLED = "resampled.json"  # in the folder of a job
COST = ("parameters", "clips", "cpu_seconds")


@dataclass(frozen=True, slots=True, eq=False)
class ScoredJob:
    """Hold what a finished job reached on the split that is reported: test where it has labels, else valid.

    scores : mAP by its name, as fractions
    resampled : (1 + R,) the mAP that the task is judged by, of the games as they are and of R resamples of them
    cost : see ``RunCost``
    """

    data: str
    model: str
    task: Task
    split: str
    scores: dict[str, float]
    resampled: NDArray[np.float64]
    cost: dict[str, float]


class ComparisonTable(JobsTable):
    """Write ``comparison.json`` and ``comparison.md``."""

    def write(self, folder: Path) -> str:
        """Compare the finished jobs, see ``write_comparison``."""
        return write_comparison(folder)


def write_comparison(folder: Path) -> str:
    """Compare the finished jobs in the folder of a sweep, write the tables, and return the Markdown."""
    by_data: dict[str, list[ScoredJob]] = defaultdict(list)
    for job in finished_jobs(folder):
        run = read_scored_job(job)
        by_data[run.data].append(run)
    compared = {data: compare(runs) for data, runs in by_data.items()}
    text = "\n".join(comparison_markdown(data, by_data[data][0], rows) for data, rows in compared.items())
    if compared:
        atomic_write(folder / "comparison.json", json_bytes(compared))
        atomic_write(folder / "comparison.md", text.encode())
    return text


def read_scored_job(job: Path) -> ScoredJob:
    """Read a finished job; its score in resamples of the games is computed once."""
    choices = choices_of_job(job)
    config = read_job_config(job)
    task, metrics = Task.load(config.data.task), orjson.loads((job / "metrics.json").read_bytes())
    split = "test" if "test" in metrics else "valid"
    if not (job / RESAMPLED).is_file():
        labels = config.data.get("labels") or root_of_job(job)
        values = _resample(labels, job / "predictions" / split, task)
        atomic_write(job / RESAMPLED, orjson.dumps(values))
    names = score_names(task) or ["tight", "loose"]
    return ScoredJob(
        choices.data,
        choices.model,
        task,
        split,
        {name: float(metrics[split][name]["map"]) for name in names},
        np.array(orjson.loads((job / RESAMPLED).read_bytes())),
        orjson.loads((job / "cost.json").read_bytes()),
    )


def compare(runs: Sequence[ScoredJob]) -> list[dict[str, Any]]:
    """Return a row for each system, the best first: means and deviations over seeds, cost, difference to the best.

    A difference is ``{"value", "interval", "better"}`` of means over seeds, see ``compare_systems``; the best has none.
    """
    systems: dict[str, list[ScoredJob]] = defaultdict(list)
    for run in runs:
        systems[run.model].append(run)
    means = {model: np.mean([run.resampled for run in each], axis=0) for model, each in systems.items()}
    ranked = sorted(means, key=lambda model: -means[model][0])
    rows = []
    for model in ranked:
        each = systems[model]
        scores = {name: spread([run.scores[name] for run in each]) for name in each[0].scores}
        cost = mean_cost([run.cost for run in each], COST)
        against = difference(means[model] - means[ranked[0]]) if model != ranked[0] else None
        rows.append({"model": model, "seeds": len(each), "scores": scores, **cost, "against_best": against})
    return rows


def comparison_markdown(data: str, run: ScoredJob, rows: Sequence[dict[str, Any]]) -> str:
    """Return the table of one data set in Markdown, scores in percent.

    run : any of its runs
    """
    names = list(run.scores)
    head = [f"{data}, {run.split}, mAP in %", *names, f"{run.task.monitor}: to the best, 95 %"]
    lines = [[*head, "seeds", "parameters", "clips", "CPU s"], ["---", *["---:"] * (len(names) + 5)]]
    for row in rows:
        scores = [percent(row["scores"][name]) for name in names]
        cost = [f"{row['parameters']:,.0f}", f"{row['clips']:,.0f}", f"{row['cpu_seconds']:.0f}"]
        lines.append([f"`{row['model']}`", *scores, _against(row["against_best"]), str(row["seeds"]), *cost])
    return markdown_table(lines)


def _resample(labels: str, predictions: Path, task: Task) -> list[float]:
    evaluation = load_evaluation(labels, [predictions])
    games = len({half.game for half in evaluation.labels})
    weights = np.concatenate([np.ones((1, games)), draw_resamples(games)])
    scores = score_resamples(evaluation.labels, evaluation.predictions[0], task, weights)
    tolerance, view = parse_monitor(task.monitor)
    return scores[tolerance + (TEAM_VIEW if TEAM_VIEW in view else "")][:, 0].tolist()


def _against(difference: dict[str, Any] | None) -> str:
    if difference is None:
        return "best"
    low, high = difference["interval"]
    return f"{100 * difference['value']:+.1f} ({100 * low:+.1f} … {100 * high:+.1f})"
