"""Sweeps: every job is a process of its own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import orjson
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from spotter.cli.jobs import command_of, own_configs
from spotter.cli.overrides import hydra_string, key_of
from spotter.errors import INTERRUPTED, UserError
from spotter.evaluation.metrics import monitored
from spotter.io.files import atomic_write
from spotter.tasks import Task

log = logging.getLogger(__name__)
OUTPUT = "output.txt"  # of a job, in its folder
FINISHED = "finished.json"  # the overrides of a job that has come to its end


def run_job(cfg: DictConfig) -> float | None:
    """Run one job of a sweep as a single run in a fresh process, and return its score to the sweeper, if it has one.

    With several devices a job in this process would start the whole sweep again on each of them; in a process of its
    own it also frees all memory and closes its loggers. A job that an earlier sweep in the same folder finished is not
    run again. Raises UserError when the job fails, or was run there with other overrides.
    """
    hydra_config = HydraConfig.get()
    number, folder = hydra_config.job.num, Path(hydra_config.runtime.output_dir)
    words = [*own_configs(hydra_config), *hydra_config.overrides.task]
    words += ["hydra.mode=RUN", "hydra.run.dir=" + hydra_string(str(folder)), f"hydra.job.num={number}"]
    name, began = _name_of_job(hydra_config), time.monotonic()
    if is_finished(folder):
        _check_overrides(folder, hydra_config)
        log.info("job %s: %s, finished before", number, name)
        return _score(cfg, folder, hydra_config)
    log.info("job %s: %s, output in %s", number, name, os.path.relpath(folder / OUTPUT))
    with (folder / OUTPUT).open("wb") as output:
        process = subprocess.run(
            [*command_of("train"), *words],
            check=False,
            env=_environment(hydra_config, name),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if process.returncode == INTERRUPTED:
        log.info("the same command goes on with hydra.sweep.dir=%s", hydra_config.sweep.dir)
        raise KeyboardInterrupt
    if process.returncode:
        raise UserError(f"job {number} of the sweep failed{_last_error(folder / OUTPUT)}, see {folder}")
    atomic_write(folder / FINISHED, orjson.dumps(list(hydra_config.overrides.task)))
    score = _score(cfg, folder, hydra_config)
    reached = "trained" if score is None else f"{Task.load(cfg.data.task).monitor} {100 * score:.2f} %"
    log.info("job %s: %s after %.0f s", number, reached, time.monotonic() - began)
    return score


def is_finished(folder: Path) -> bool:
    """Return whether the job of a sweep in ``folder`` has come to its end."""
    return (folder / FINISHED).is_file()


def _check_overrides(folder: Path, hydra_config: HydraConf) -> None:
    """Raise UserError where the job in ``folder`` was run with other overrides than the present ones."""
    before = set(orjson.loads((folder / FINISHED).read_bytes()))
    if differs := sorted(before ^ set(hydra_config.overrides.task)):
        raise UserError(f"{folder}: was run with other settings ({', '.join(differs)}); give another hydra.sweep.dir")


def _score(cfg: DictConfig, folder: Path, hydra_config: HydraConf) -> float | None:
    """Return the score that a finished job is judged by; None without valid games, as of the last run on all of them.

    Raises UserError where a sweeper searches by scores, and there is none.
    """
    metrics = orjson.loads((folder / "metrics.json").read_bytes())
    if "valid" in metrics:
        return monitored(metrics["valid"], Task.load(cfg.data.task).monitor)
    if hydra_config.runtime.choices["hydra/sweeper"] != "basic":  # which runs what is listed
        number = hydra_config.job.num
        raise UserError(
            f"job {number} of the sweep has no score on valid; this sweeper searches by it: label some games"
        )
    return None


def _name_of_job(hydra_config: HydraConf) -> str:
    """Return the overrides in which a job differs from the others of its sweep."""
    words = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
    typed = OverridesParser.create().parse_overrides(words)
    shared = {override.key_or_group for override in typed if not override.is_sweep_override()}
    differs = [word for word in hydra_config.overrides.task if key_of(word) not in shared]
    return ",".join(differs) or str(hydra_config.job.num)


def _environment(hydra_config: HydraConf, name: str) -> dict[str, str]:
    """Return the environment of a job: in W&B its name is what tells it from the others, its group the sweep."""
    return {"WANDB_RUN_GROUP": Path(hydra_config.sweep.dir).name, **os.environ, "WANDB_NAME": name}


def _last_error(output: Path) -> str:
    """Return the last error in a job's output, after a colon, or nothing."""
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines() if output.is_file() else []
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return f": {errors[-1]}" if errors else ""
