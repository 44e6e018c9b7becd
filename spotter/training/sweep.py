"""Sweeps: every job is a process of its own, and at the end one table tells them apart."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from spotter.errors import UserError
from spotter.evaluation.form import monitored
from spotter.files import atomic_write
from spotter.shell import FAILURE, INTERRUPTED
from spotter.tasks import Task
from spotter.training.compare import markdown, read_job, summarise, table
from spotter.training.overrides import hydra_string
from spotter.training.terminal import show

log = logging.getLogger(__name__)


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
    """Compare the jobs of a sweep when all are done: on the terminal, in ``sweep.json`` and ``sweep.md``."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Read what the jobs wrote, and print the table, mean and deviation over seeds below it.

        Ends the process with status 1 where a job has failed; any other exception Hydra would only warn of.
        """
        folder = Path(config.hydra.sweep.dir)
        jobs = [read_job(path.parent.parent) for path in folder.glob("*/.hydra/overrides.yaml")]
        if not jobs:
            return
        summary = summarise(jobs)
        jobs = summary["jobs"]
        atomic_write(folder / "sweep.json", orjson.dumps(summary, option=orjson.OPT_INDENT_2))
        if summary["over_seeds"]:
            atomic_write(folder / "sweep.md", markdown(summary["over_seeds"], Task.load(config.data.task)).encode())
        show(table(summary))
        log.info("sweep: %s", folder)
        failed = [job["job"] for job in jobs if job["failed"]]
        if failed:
            sys.stderr.write(f"error: job {', '.join(failed)} of the sweep failed, see {folder}\n")
            raise SystemExit(FAILURE)
