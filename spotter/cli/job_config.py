"""The configs that Hydra leaves in the folder of a job."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from spotter.errors import UserError


def read_job_config(job: Path, name: str = "config") -> DictConfig:
    """Return ``config``, or ``hydra``, of a job, to be read alone; the tables of a sweep ask for all after each job."""
    path = job / ".hydra" / f"{name}.yaml"
    return _read(path, path.stat().st_mtime_ns)


def root_of_job(job: Path) -> str:
    """Return the folder of a job's data; raises UserError where a variable that named it is no longer set."""
    root: str | None = read_job_config(job).data.root
    if root is None:
        raise UserError(f"{job}: its data.root is a variable of the environment that is not set now; set it again")
    return root


@cache
def _read(path: Path, written: int) -> Any:
    return OmegaConf.load(path)
