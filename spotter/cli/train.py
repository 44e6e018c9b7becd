"""Train and score a model: ``spotter train model=… data=… key=value``; without arguments, the built-in demo.

spotter train model=transformer data=baidu data.root=/data/SoccerNet
spotter train experiment=e2e_ball data.root=/data/ball trainer=ddp trainer.devices=4 logger=wandb
spotter train --multirun model.lr=1e-3,3e-3 seed=1,2      a sweep, each job a process of its own
spotter train ckpt=last                                   go on with the newest unfinished run
spotter train --config-dir my_conf model=my_model         YAML files of your own beside those of spotter
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from spotter.cli.aliases import translate_words
from spotter.cli.compose import compose_config, split_flags
from spotter.cli.jobs import is_job_of_sweep, is_main_process, run_jobs, set_command_line
from spotter.cli.mistakes import one_line_errors
from spotter.cli.overrides import hydra_string, quote
from spotter.cli.resume import resume
from spotter.cli.run_config import begin_run
from spotter.cli.run_folder import check_unfinished, claim, occupied
from spotter.errors import INTERRUPTED, UsageError, UserError
from spotter.progress import visible_log

if TYPE_CHECKING:
    from spotter.training.run import Run

log = logging.getLogger(__name__)
KEEP_LOGGING = ("hydra.job_logging.root=null", "hydra.hydra_logging.root=null")  # of the process


def prepare(words: Sequence[str]) -> list[str]:
    """Return words as Hydra takes them: today's keys, paths quoted, ``ckpt=…`` with the overrides of its run."""
    return resume([quote(word) for word in translate_words(words)])


def main(words: Sequence[str]) -> None:
    """Run ``spotter train`` with the words of its command line."""
    with one_line_errors("train", words):
        prepared = prepare(words)
        set_command_line(words, prepared)
        run_jobs("train", prepared, job)


def job(cfg: DictConfig) -> Run | float | None:
    """Train one run; a job of a sweep does so in a process of its own and returns its score."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        from spotter.cli.sweep import run_job

        return run_job(cfg)
    return _train_one(cfg)


def _train_one(cfg: DictConfig) -> Run:
    from spotter.training.run import train as train_run

    folder = Path(cfg.run_dir)
    if not folder.is_dir():
        raise UsageError(f"run_dir: {folder} is no folder; give hydra.run.dir={folder}, which makes it")
    if not cfg.ckpt and not is_job_of_sweep(HydraConfig.get()):  # a sweep begins its unfinished jobs anew
        check_unfinished(folder)
    _name_missing_size(HydraConfig.get().runtime.choices)
    with occupied(folder) if is_main_process() else nullcontext():
        begin_run(folder)
        return train_run(cfg)


def _name_missing_size(choices: Mapping[str, str | None]) -> None:
    size, model = choices["size"], choices["model"]
    sizes = GlobalHydra.instance().config_loader().get_group_options("sizes")
    if size != "published" and f"{size}-{model}" not in sizes:
        log.info("size=%s: model %s has no %s size, it is as published", size, model, size)


def train(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> Run:
    """Train and score one run, as ``spotter train`` does, and return it.

    overrides : the words of the command line, ``["model=linear", "data=demo", "trainer.max_epochs=2"]``
    config_dir : a folder with YAML files of your own, as ``--config-dir``

    Everything is written to the run's folder, ``outputs/<model>-<data>/<date>_<time>`` unless ``hydra.run.dir=…`` says
    otherwise. Where logging is not set up, progress goes to standard error. With several devices training runs in
    processes of its own. Raises UserError for a mistake in the overrides or the data, KeyboardInterrupt when it is
    stopped; ``ckpt=last`` goes on then.
    """
    if {"-m", "--multirun"} & set(overrides):
        raise UsageError("--multirun: spotter.train trains one run; sweep with the command `spotter train --multirun`")
    words = [*(["--config-dir", str(config_dir)] if config_dir else []), *overrides]
    with visible_log(), one_line_errors("train", words):
        prepared = prepare(words)
        cfg = compose_config("train", *split_flags(prepared))
        if cfg.trainer.devices in (1, "1") and cfg.trainer.get("num_nodes", 1) == 1:
            run = run_jobs("train", [*prepared, *KEEP_LOGGING], _train_one)
            if run is None:
                raise UsageError("nothing was trained: flags such as --cfg are for the command `spotter train`")
            return run
        given = any(word.startswith("hydra.run.dir=") for word in prepared)
        folder = Path(cfg.hydra.run.dir) if given else claim(Path(cfg.hydra.run.dir))
        return _train_in_processes(prepared, folder, cfg)


def _train_in_processes(words: Sequence[str], folder: Path, cfg: DictConfig) -> Run:
    from spotter.training.run import Run, modules_of

    # never sys.argv[0]: a user's own script would call this function again
    command = [sys.executable, "-m", "spotter", "train", *words, f"hydra.run.dir={hydra_string(str(folder))}"]
    status = subprocess.run(command, check=False).returncode
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise UserError(f"training failed, see {folder}")
    return Run(folder.absolute(), modules_of(cfg))
