"""Compare networks that ground replays, the jobs of a sweep: average-AP of test, means over seeds, published scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from rich.markdown import Markdown

from spotter.cli.ground import read_shots, replays_in
from spotter.cli.sweep import is_finished
from spotter.data.replays import LABELS, ReplaySource
from spotter.evaluation.grounding import grounding_scores, pair
from spotter.evaluation.report.published import published_scores
from spotter.inference.grounding import ground
from spotter.inference.model import load
from spotter.io.files import atomic_write, json_bytes
from spotter.training.callbacks.progress import show

SCORES = "grounding.json"  # in the folder of a job
SPLIT = "test"


class GroundingTable(Callback):
    """Write ``grounding.md`` and ``grounding.json`` after each job of a sweep, and print the table after the last."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Write what there is, so that a sweep that is interrupted has a table as far as it got."""
        write_table(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Print the table."""
        if text := write_table(Path(config.hydra.sweep.dir)):
            show(Markdown(text))


def write_table(folder: Path) -> str:
    """Score the finished jobs in the folder of a sweep, write the tables, and return the Markdown."""
    jobs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for job in filter(is_finished, sorted(path.parent.parent for path in folder.glob("*/.hydra/hydra.yaml"))):
        model = OmegaConf.load(job / ".hydra" / "hydra.yaml").hydra.runtime.choices.model
        jobs[model].append({**score_job(job), "cost": orjson.loads((job / "cost.json").read_bytes())})
    text = markdown(jobs) if jobs else ""
    if jobs:
        atomic_write(folder / SCORES, json_bytes(jobs))
        atomic_write(folder / "grounding.md", text.encode())
    return text


def score_job(job: Path) -> dict[str, Any]:
    """Return the scores of a finished job on test, which it answers once."""
    if not (job / SCORES).is_file():
        root = str(OmegaConf.load(job / ".hydra" / "config.yaml").data.root)
        model, cameras = load(job), read_shots(root, SPLIT)
        source = ReplaySource.of_spec(model.system.spec, root)
        answers = ground(model.system, source, replays_in(cameras), model.compute)
        scores = grounding_scores(pair({game: cameras[game] for game in answers}, answers))
        atomic_write(job / SCORES, json_bytes(scores))
    content: dict[str, Any] = orjson.loads((job / SCORES).read_bytes())
    return content


def markdown(jobs: Mapping[str, list[dict[str, Any]]]) -> str:
    """Return the table in Markdown, the best first: average-AP of all replays, in percent."""
    head = ["average-AP in %, test", "tight", "loose", "seeds", "parameters", "CPU s", "published, loose"]
    lines = [head, ["---", *["---:"] * 5, "---"]]
    for model, each in sorted(jobs.items(), key=lambda item: -_mean(item[1], "loose")):
        scores = [f"{_mean(each, name):.1f} ± {_deviation(each, name):.1f}" for name in ("tight", "loose")]
        cost = {name: np.mean([job["cost"][name] for job in each]) for name in ("parameters", "cpu_seconds")}
        costs = [str(len(each)), f"{cost['parameters']:,.0f}", f"{cost['cpu_seconds']:.0f}"]
        lines.append([f"`{model}`", *scores, *costs, _published(model)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _values(jobs: list[dict[str, Any]], name: str) -> list[float]:
    return [100 * job[name]["average_ap_all"] for job in jobs]


def _mean(jobs: list[dict[str, Any]], name: str) -> float:
    return float(np.mean(_values(jobs, name)))


def _deviation(jobs: list[dict[str, Any]], name: str) -> float:
    return float(np.std(_values(jobs, name), ddof=1)) if len(jobs) > 1 else 0.0


def _published(model: str) -> str:
    rows = {split: published_scores(LABELS, split) for split in ("test", "challenge")}
    named = [
        f"{row['loose']:.2f} ({split})" for split, each in rows.items() for row in each if row.get("model") == model
    ]
    return "; ".join(named)
