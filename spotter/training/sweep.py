"""Sweeps: every job is a process of its own, and at the end one table tells them apart."""

from __future__ import annotations

import logging
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.table import Table

from spotter.errors import UserError
from spotter.evaluation.form import monitored
from spotter.files import atomic_write
from spotter.shell import FAILURE, INTERRUPTED
from spotter.tasks import Task
from spotter.training.overrides import hydra_string
from spotter.training.terminal import show

log = logging.getLogger(__name__)
COLUMNS = {"tight": ("tight", "map"), "loose": ("loose", "map"), "at_1": ("at_1", "map")}


def run_job(cfg: DictConfig) -> float:
    """Run one job of a sweep as a single run in a fresh process, and return its score to the sweeper.

    With several devices a job in this process would start the whole sweep again on each of them; in a process of its
    own it also frees all memory and closes its loggers. Raises UserError when the job fails.
    """
    hydra_config = HydraConfig.get()
    folder = Path(hydra_config.runtime.output_dir)
    command = [sys.executable, sys.argv[0], *hydra_config.overrides.task, "hydra.mode=RUN"]
    command += ["hydra.run.dir=" + hydra_string(str(folder)), f"hydra.job.num={hydra_config.job.num}"]
    status = subprocess.run(command, check=False, env=_environment(hydra_config)).returncode
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise UserError(f"job {hydra_config.job.num} of the sweep failed, see {folder}")
    forms = orjson.loads((folder / "metrics.json").read_bytes())
    if "valid" not in forms:
        raise UserError(f"job {hydra_config.job.num} of the sweep has no score on valid; a sweep needs labelled games")
    return monitored(forms["valid"], Task.load(cfg.data.task).monitor)


def _environment(hydra_config: Any) -> dict[str, str]:
    """Return the environment of a job: in W&B its name is what tells it from the others, its group the sweep."""
    words = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
    typed = OverridesParser.create().parse_overrides(words)
    shared = {override.key_or_group for override in typed if not override.is_sweep_override()}
    name = ",".join(word for word in hydra_config.overrides.task if word.partition("=")[0].lstrip("+~") not in shared)
    ours = {"WANDB_RUN_GROUP": Path(hydra_config.sweep.dir).name}
    return {**ours, **os.environ, "WANDB_NAME": name or str(hydra_config.job.num)}


class SweepTable(Callback):
    """Compare the jobs of a sweep when all are done: on the terminal and in ``sweep.json``."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Read what the jobs wrote, and print the table, mean and deviation over seeds below it.

        Ends the process with status 1 where a job has failed; any other exception Hydra would only warn of.
        """
        folder = Path(config.hydra.sweep.dir)
        jobs = [_job(path.parent.parent) for path in folder.glob("*/.hydra/overrides.yaml")]
        if not jobs:
            return
        jobs.sort(key=lambda job: (len(job["job"]), job["job"]))
        shared = set.intersection(*(set(job["overrides"]) for job in jobs)) if len(jobs) > 1 else set()
        for job in jobs:
            job["differs"] = [override for override in job["overrides"] if override not in shared]
        summary = {"jobs": jobs, "over_seeds": over_seeds(jobs)}
        atomic_write(folder / "sweep.json", orjson.dumps(summary, option=orjson.OPT_INDENT_2))
        show(_table(summary))
        log.info("sweep: %s", folder)
        failed = [job["job"] for job in jobs if job["failed"]]
        if failed:
            sys.stderr.write(f"error: job {', '.join(failed)} of the sweep failed, see {folder}\n")
            raise SystemExit(FAILURE)


def over_seeds(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return mean and sample deviation of the jobs that differ in their seed only, where there are several."""
    alike: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for job in jobs:
        if job["failed"]:
            continue
        alike[" ".join(word for word in job["differs"] if not word.startswith("seed="))].append(job)
    rows = []
    for overrides, group in alike.items():
        if len(group) > 1:
            scores = {
                split: {name: [job[split][name] for job in group if split in job] for name in COLUMNS}
                for split in ("valid", "test")
            }
            rows.append({"differs": overrides, "seeds": len(group), **_spread(scores)})
    return rows


def _spread(scores: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    return {
        split: {
            name: {"mean": statistics.fmean(values), "deviation": statistics.stdev(values)}
            for name, values in columns.items()
            if len(values) > 1
        }
        for split, columns in scores.items()
    }


def _job(folder: Path) -> dict[str, Any]:
    overrides = yaml.safe_load((folder / ".hydra" / "overrides.yaml").read_text(encoding="utf-8"))
    done = folder / "metrics.json"
    forms = orjson.loads(done.read_bytes()) if done.is_file() else {}
    scores = {split: {name: form[at][key] for name, (at, key) in COLUMNS.items()} for split, form in forms.items()}
    return {"job": folder.name, "overrides": overrides, "failed": not scores, **scores}


def _table(summary: dict[str, Any]) -> Table:
    table = Table(title="sweep", title_justify="left")
    table.add_column("job")
    table.add_column("differs in", overflow="fold")
    columns = [(split, name) for split in ("valid", "test") for name in COLUMNS]
    for split, name in columns:
        table.add_column(f"{split}\n{name}", justify="right")
    for job in summary["jobs"]:
        cells = [f"{job[split][name]:.4f}" if split in job else "" for split, name in columns]
        table.add_row(job["job"], " ".join(job["differs"]), *(["failed"] if job["failed"] else cells))
    table.add_section()
    for row in summary["over_seeds"]:
        cells = [
            "{mean:.4f}\n±{deviation:.4f}".format(**row[split][name]) if row[split].get(name) else ""
            for split, name in columns
        ]
        table.add_row(f"{row['seeds']} seeds", row["differs"], *cells)
    return table
