"""What ``train.py`` and ``predict.py`` share: overrides as typed, resuming, and errors in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from spotter.commands.shell import guarded
from spotter.data.streams import parse_fps
from spotter.errors import UsageError
from spotter.tasks import Task
from spotter.training.overrides import quoted, resumed


def script(name: str, conf: Path) -> int:
    """Run ``train`` or ``predict`` with the overrides on the command line; return the exit status."""
    register_resolvers()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors come here, where they become one line
    os.environ.setdefault("PYTHONWARNINGS", "ignore")  # for the processes that are started, too
    return guarded(lambda: _main(name, conf))


def register_resolvers() -> None:
    """Teach OmegaConf what configs derive: frames in seconds, anchors per frame, the key that a task is judged by."""
    for name, resolver in {
        "frames": lambda seconds, fps: max(1, round(float(seconds) * parse_fps(fps))),
        "upsample": lambda fps, target: max(1, round(float(target) / parse_fps(fps))),
        "monitor": lambda task: f"val/{Task.load(task).monitor}",
        "task": lambda task: Task.load(task).to_dict(),
    }.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)


def _main(name: str, conf: Path) -> None:
    arguments = [quoted(argument) for argument in sys.argv[1:]]
    sys.argv[1:] = resumed(arguments, conf) if name == "train" else arguments
    try:
        hydra.main(config_path=str(conf.absolute()), config_name=name, version_base="1.3")(_tasks()[name])()
    except (HydraException, OmegaConfBaseException) as error:
        if os.environ.get("SPOTTER_DEBUG") == "1":
            raise
        reasons = [error, *([error.__cause__] if error.__cause__ else [])]
        raise UsageError("; ".join(" ".join(str(reason).split()) for reason in reasons)) from error


def _tasks() -> dict[str, Callable[[DictConfig], Any]]:
    def train(cfg: DictConfig) -> Any:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            from spotter.training.sweep import run_job

            return run_job(cfg)
        from spotter.training.run import train as run

        return run(cfg)

    def predict(cfg: DictConfig) -> Any:
        from spotter.training.predict import predict as run

        return run(cfg)

    return {"train": train, "predict": predict}
