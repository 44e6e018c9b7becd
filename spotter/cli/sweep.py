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
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from spotter.cli.compare import markdown, read_job, summarise, table
from spotter.cli.overrides import hydra_string
from spotter.errors import FAILURE, INTERRUPTED, UserError
from spotter.evaluation.metrics import monitored
from spotter.io.files import atomic_write
from spotter.tasks import Task
from spotter.training.callbacks.progress import show

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
    """Compare the jobs of a sweep: in ``sweep.json`` and ``sweep.md`` after each, on the terminal after the last."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Write what there is, so that a sweep that is interrupted can be compared as far as it got."""
        if config.hydra.mode == RunMode.MULTIRUN:
            compare(config)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Print the table, mean and deviation over seeds below it.

        Ends the process with status 1 where a job has failed; any other exception Hydra would only warn of.
        """
        summary = compare(config)
        if not summary["jobs"]:
            return
        show(table(summary))
        log.info("sweep: %s", config.hydra.sweep.dir)
        failed = [job["job"] for job in summary["jobs"] if job["failed"]]
        if failed:
            sys.stderr.write(f"error: job {', '.join(failed)} of the sweep failed, see {config.hydra.sweep.dir}\n")
            raise SystemExit(FAILURE)


def compare(config: DictConfig) -> dict[str, Any]:
    """Read what the jobs of a sweep have left, write the comparison, and return it."""
    folder = Path(config.hydra.sweep.dir)
    summary = summarise([read_job(path.parent.parent) for path in folder.glob("*/.hydra/overrides.yaml")])
    if summary["jobs"]:
        atomic_write(folder / "sweep.json", orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    if summary["over_seeds"]:
        atomic_write(folder / "sweep.md", markdown(summary["over_seeds"], Task.load(config.data.task)).encode())
    return summary
