"""Compare networks that ground replays, the jobs of a sweep: average-AP of test, means over seeds, published scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from spotter.cli.ground import read_shots, replays_in
from spotter.cli.job_config import root_of_job
from spotter.cli.jobs_table import JobsTable, choices_of_job, finished_jobs, markdown_table, mean_cost
from spotter.cli.spread import percent, spread
from spotter.data.replays import LABELS, ReplaySource
from spotter.evaluation.grounding import grounding_scores, pair
from spotter.evaluation.report.published import published_scores
from spotter.inference.grounding import ground
from spotter.inference.model import load_model
from spotter.io.files import atomic_write, json_bytes

SCORES = "grounding.json"  # in the folder of a job
SPLIT = "test"


class GroundingTable(JobsTable):
    """Write ``grounding.md`` and ``grounding.json``."""

    def write(self, folder: Path) -> str:
        """Score and compare the finished jobs, see ``write_table``."""
        return write_table(folder)


def write_table(folder: Path) -> str:
    """Score the finished jobs in the folder of a sweep, write the tables, and return the Markdown."""
    jobs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for job in finished_jobs(folder):
        jobs[choices_of_job(job).model].append(
            {**score_job(job), "cost": orjson.loads((job / "cost.json").read_bytes())}
        )
    text = grounding_markdown(jobs) if jobs else ""
    if jobs:
        atomic_write(folder / SCORES, json_bytes(jobs))
        atomic_write(folder / "grounding.md", text.encode())
    return text


def score_job(job: Path) -> dict[str, Any]:
    """Return the scores of a finished job on test, which it answers once."""
    if not (job / SCORES).is_file():
        root = root_of_job(job)
        model, cameras = load_model(job), read_shots(root, SPLIT)
        source = ReplaySource.of_spec(model.system.spec, root)
        answers = ground(model.system, source, replays_in(cameras), model.compute)
        scores = grounding_scores(pair({game: cameras[game] for game in answers}, answers))
        atomic_write(job / SCORES, json_bytes(scores))
    content: dict[str, Any] = orjson.loads((job / SCORES).read_bytes())
    return content


def grounding_markdown(jobs: Mapping[str, list[dict[str, Any]]]) -> str:
    """Return the table in Markdown, the best first: average-AP of all replays, in percent."""
    head = ["average-AP in %, test", "tight", "loose", "seeds", "parameters", "CPU s", "published, loose"]
    lines = [head, ["---", *["---:"] * 5, "---"]]
    scores = {model: {name: _score(each, name) for name in ("tight", "loose")} for model, each in jobs.items()}
    for model in sorted(jobs, key=lambda model: -scores[model]["loose"]["mean"]):
        cost = mean_cost([job["cost"] for job in jobs[model]], ("parameters", "cpu_seconds"))
        costs = [str(len(jobs[model])), f"{cost['parameters']:,.0f}", f"{cost['cpu_seconds']:.0f}"]
        lines.append([f"`{model}`", *map(percent, scores[model].values()), *costs, _published(model)])
    return markdown_table(lines)


def _score(jobs: list[dict[str, Any]], name: str) -> dict[str, float]:
    return spread([job[name]["average_ap_all"] for job in jobs])


def _published(model: str) -> str:
    rows = {split: published_scores(LABELS, split) for split in ("test", "challenge")}
    named = [
        f"{row['loose']:.2f} ({split})" for split, each in rows.items() for row in each if row.get("model") == model
    ]
    return "; ".join(named)
