"""What the jobs of a sweep have reached, side by side: as values, on the terminal, and in Markdown."""

from __future__ import annotations

import logging
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import yaml
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.table import Table

from spotter.cli.job_config import read_job_config
from spotter.cli.jobs_table import markdown_table
from spotter.cli.spread import percent, spread
from spotter.errors import FAILURE, plural
from spotter.evaluation.report.published import published_scores
from spotter.io.files import atomic_write, json_bytes
from spotter.io.splits import SCORED
from spotter.progress import print_table
from spotter.tasks import Task
from spotter.types import Metrics

log = logging.getLogger(__name__)
COLUMNS = {"tight": ("tight", "map"), "loose": ("loose", "map"), "at_1": ("at_1", "map")}
TEAM = "team_at_1"  # a column more, of tasks with teams
NAMES = (*COLUMNS, TEAM)
REPEATS = ("seed=", "data.fold=")  # jobs that differ in these alone are runs of one system


class SweepSummary(Callback):
    """Summarise the jobs of a sweep: in ``sweep.json`` and ``sweep.md`` after each, on the terminal after the last."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: object) -> None:
        """Write what there is, so that a sweep that is interrupted has a summary as far as it got."""
        if config.hydra.mode == RunMode.MULTIRUN:
            write_summary(config)

    def on_multirun_end(self, config: DictConfig, **_: object) -> None:
        """Print the table, mean and deviation over seeds below it.

        Ends the process with status 1 where a job has failed; any other exception Hydra would only warn of.
        """
        summary = write_summary(config)
        if not summary["jobs"]:
            return
        print_table(summary_table(summary))
        log.info("sweep: %s", config.hydra.sweep.dir)
        failed = [job["job"] for job in summary["jobs"] if job["failed"]]
        if failed:
            jobs = f"job{'s' if len(failed) > 1 else ''} {', '.join(failed)}"
            sys.stderr.write(f"error: {jobs} of the sweep failed, see output.txt of each in {config.hydra.sweep.dir}\n")
            raise SystemExit(FAILURE)


def write_summary(config: DictConfig) -> dict[str, Any]:
    """Read what the jobs of a sweep have left, write their summary, and return it."""
    folder = Path(config.hydra.sweep.dir)
    summary = summarise_jobs([read_job(path.parent.parent) for path in folder.glob("*/.hydra/overrides.yaml")])
    if summary["jobs"]:
        atomic_write(folder / "sweep.json", json_bytes(summary))
    if rows := summary["over_seeds"]:
        tables = [
            summary_markdown([row for row in rows if row["task"] == task], Task.load(task))
            for task in dict.fromkeys(row["task"] for row in rows)
        ]
        atomic_write(folder / "sweep.md", "\n".join(tables).encode())
    return summary


def read_job(folder: Path) -> dict[str, Any]:
    """Return a job's number, overrides, task, scores by split, and cost where it is known."""
    overrides = yaml.safe_load((folder / ".hydra" / "overrides.yaml").read_text(encoding="utf-8"))
    done, cost = folder / "metrics.json", folder / "cost.json"
    metrics = orjson.loads(done.read_bytes()) if done.is_file() else {}
    scores = {split: _scores(found) for split, found in metrics.items()}
    known = {"cost": orjson.loads(cost.read_bytes())} if cost.is_file() else {}
    task = read_job_config(folder).data.task
    return {"job": folder.name, "overrides": overrides, "task": task, "failed": not done.is_file(), **scores, **known}


def _scores(found: Metrics) -> dict[str, float]:
    """Return a number for each column; that of teams only where there are teams, as checkpoints are chosen by it."""
    scores = {name: found[at][key] for name, (at, key) in COLUMNS.items()}
    team = [score for key in ("map_team", "map_team_present") if (score := found["at_1"].get(key)) is not None]
    return {**scores, TEAM: team[0]} if team else scores


def summarise_jobs(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the jobs in order, each with the overrides in which it differs from others, and means over runs."""
    jobs = sorted(jobs, key=lambda job: (len(job["job"]), job["job"]))
    shared = set.intersection(*(set(job["overrides"]) for job in jobs)) if len(jobs) > 1 else set()
    jobs = [{**job, "differs": [word for word in job["overrides"] if word not in shared]} for job in jobs]
    return {"jobs": jobs, "over_seeds": over_seeds(jobs)}


def over_seeds(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return mean and sample deviation of the jobs that differ in seed or fold only, where there are several."""
    alike: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for job in jobs:
        if job["failed"]:
            continue
        alike[" ".join(word for word in job["differs"] if not word.startswith(REPEATS))].append(job)
    rows = []
    for overrides, group in alike.items():
        if len(group) > 1:
            scores = {
                split: {name: [job[split][name] for job in group if name in job.get(split, {})] for name in NAMES}
                for split in SCORED
            }
            words = (word for word in group[0].get("overrides", []) if word.startswith("model="))
            model = next(words, "").removeprefix("model=")
            row = {"differs": overrides, "model": model, "task": group[0]["task"], "seeds": len(group)}
            rows.append({**row, "cost": _cost(group), **_spread(scores)})
    return rows


def _cost(jobs: list[dict[str, Any]]) -> dict[str, float] | None:
    """Return what a run of these jobs costs: the median of each number."""
    costs = [job["cost"] for job in jobs if "cost" in job]
    return {key: statistics.median(cost[key] for cost in costs) for key in costs[0]} if costs else None


def _spread(scores: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    return {
        split: {name: spread(values) for name, values in columns.items() if len(values) > 1}
        for split, columns in scores.items()
    }


def summary_markdown(rows: list[dict[str, Any]], task: Task) -> str:
    """Return means over runs as a Markdown table, beside what is published of the same model, each with its source.

    What the task is judged by stands beside tight and loose where it is another number.
    """
    split = "test" if any(row["test"] for row in rows) else "valid"
    shown = [name for name in NAMES if name in ("tight", "loose") or task.monitor.replace("map_", "") == name]
    head = [
        f"{split}, mAP in %",
        *shown,
        "parameters",
        "CPU s an epoch",
        f"published on {task.name}, tight / loose",
    ]
    lines = [head, ["---", *["---:"] * (len(shown) + 2), "---"]]
    for row in rows:
        cells = [
            f"`{row['differs'] or 'all'}`",
            *(percent(row[split][name]) if name in row[split] else "" for name in shown),
        ]
        cost = row["cost"]
        cells += [f"{int(cost['parameters']):,}", f"{cost['cpu_seconds_per_epoch']:.2f}"] if cost else ["", ""]
        lines.append([*cells, "; ".join(_published(row["model"], task))])
    return markdown_table(lines)


def _published(model: str, task: Task) -> list[str]:
    """Return what is published of a model: on the test split, or else on the challenge split."""
    for split in ("test", "challenge"):
        rows = [row for row in published_scores(task, split) if model and row.get("model") == model]
        if rows:
            where = "" if split == "test" else f", {split}"
            return [
                f"{_number(row, 'tight')} / {_number(row, 'loose')} ({row['input']}{where}; {row['source']})"
                for row in rows
            ]
    return []


def _number(row: dict[str, Any], name: str) -> str:
    return f"{row[name]:.2f}" if name in row else "–"


def summary_table(summary: dict[str, Any]) -> Table:
    """Return a table of all jobs, and of means over seeds or folds below them."""
    made = Table(title="sweep, mAP in %", title_justify="left")
    made.add_column("job")
    made.add_column("differs in", overflow="fold")
    names = [name for name in NAMES if any(name in job.get(split, {}) for job in summary["jobs"] for split in SCORED)]
    columns = [(split, name) for split in SCORED for name in names or COLUMNS]
    for split, name in columns:
        made.add_column(f"{split}\n{name}", justify="right")
    for job in summary["jobs"]:
        found = [job.get(split, {}).get(name) for split, name in columns]
        cells = ["" if score is None else f"{100 * score:.2f}" for score in found]
        made.add_row(job["job"], " ".join(job["differs"]), *(["failed"] if job["failed"] else cells))
    made.add_section()
    for row in summary["over_seeds"]:
        cells = [
            f"{100 * found['mean']:.2f}\n±{100 * found['deviation']:.2f}" if (found := row[split].get(name)) else ""
            for split, name in columns
        ]
        made.add_row(plural(row["seeds"], "run"), row["differs"], *cells)
    return made
