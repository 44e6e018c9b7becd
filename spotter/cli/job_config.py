"""The configs that Hydra leaves in the folder of a job."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf


def read_job_config(job: Path, name: str = "config") -> DictConfig:
    """Return ``config``, or ``hydra``, of a job, to be read alone; the tables of a sweep ask for all after each job."""
    path = job / ".hydra" / f"{name}.yaml"
    return _read(path, path.stat().st_mtime_ns)


@cache
def _read(path: Path, written: int) -> Any:
    return OmegaConf.load(path)
