"""What ``train.py`` and ``predict.py`` share: overrides as typed, resuming, and errors in one line."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from spotter.cli.exit import run_command
from spotter.cli.overrides import gathered, quoted, resumed
from spotter.data.fps import parse_fps
from spotter.errors import UsageError, UserError
from spotter.tasks import Task

CONFIG_ERRORS = (HydraException, OmegaConfBaseException)
NOISE = (  # what Lightning warns of and we mean
    ".*isinstance.treespec, LeafSpec.*",
    "Checkpoint directory .* exists and is not empty.*",
    "The number of training batches .* is smaller than the logging interval.*",
    ".*does not have many workers.*",
    ".*Found .* module.s. in eval mode at the start of training.*",
    ".*It is recommended to use .*sync_dist=True.*",
    ".*predict returned None if it was on purpose.*",
)


def script(name: str, conf: Path) -> int:
    """Run ``train`` or ``predict`` with the overrides on the command line; return the exit status."""
    register_resolvers()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors come here, where they become one line
    for message in NOISE:
        warnings.filterwarnings("ignore", message=message)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # termination is an interruption, at any time
    return run_command(lambda: _main(name, conf))


def register_resolvers() -> None:
    """Teach OmegaConf what configs derive: frames in seconds, anchors per frame, the key that a task is judged by."""
    resolvers: dict[str, Callable[..., Any]] = {
        "frames": lambda seconds, fps: max(1, round(float(seconds) * parse_fps(fps))),
        "times": lambda factor, number: round(float(factor) * float(number)),
        "seconds": lambda frames, fps: float(frames) / parse_fps(fps),
        "upsample": lambda fps, target: max(1, round(float(target) / parse_fps(fps))),
        "monitor": lambda task: f"val/{Task.load(task).monitor}",
        "task": lambda task: Task.load(task).to_dict(),
        "needed": _needed,
        "classes": lambda task: len(Task.load(task).classes),
    }
    for name, resolver in resolvers.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)


def _needed(key: str) -> None:
    raise UsageError(f"{key}: give {key}=…; this recipe cannot guess it")


def _main(name: str, conf: Path) -> None:
    arguments = [quoted(argument) for argument in sys.argv[1:]]
    sys.argv[1:] = resumed(arguments, conf) if name == "train" else gathered(arguments)
    mistakes: list[Exception] = []
    task = partial(_run, name, mistakes)
    try:
        try:
            hydra.main(config_path=str(conf.absolute()), config_name=name, version_base="1.3")(task)()
        except Exception:
            if not mistakes:  # else this is a sweeper that got no score at all
                raise
        if mistakes:
            raise mistakes[0]
    except CONFIG_ERRORS as error:
        if os.environ.get("SPOTTER_DEBUG") == "1":
            raise
        if isinstance(error.__cause__, UserError):  # raised in a constructor or a resolver
            raise error.__cause__ from error
        reasons = [error, *([error.__cause__] if error.__cause__ else [])]
        said = "; ".join(" ".join(str(reason).split()) for reason in reasons)
        raise UsageError(said.removeprefix("UserError raised while resolving interpolation: ")) from error


def _run(name: str, mistakes: list[Exception], cfg: DictConfig) -> Any:
    """Run one job and keep a user's mistake for later, since Hydra would add lines of its own to it.

    The job of a sweep that fails has no score; the others go on, and the sweep's table tells of it.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    if int(os.environ.get("LOCAL_RANK", 0)):
        logging.getLogger("spotter").setLevel(logging.ERROR)
    sweeps = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        return _job(name, sweeps)(cfg)
    except (UserError, OSError, *CONFIG_ERRORS) as mistake:
        if sweeps:
            logging.getLogger("spotter").error("%s", mistake)
        mistakes.append(mistake)
        return None


def _job(name: str, sweeps: bool) -> Callable[[DictConfig], Any]:
    """Return what runs a config, imported only now: the mistakes above show without waiting for torch."""
    if name == "predict":
        from spotter.training.predict import predict

        return predict
    if sweeps:
        from spotter.cli.sweep import run_job

        return run_job
    from spotter.training.run import train

    return train
