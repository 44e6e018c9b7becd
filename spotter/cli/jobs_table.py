"""What the tables of sweeps share: when they are written, the jobs that they show, and how numbers stand in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from spotter.cli.job_config import read_job_config
from spotter.cli.sweep import is_finished
from spotter.progress import print_table


class JobsTable(Callback, ABC):
    """Write a table after each job of a sweep, and print it after the last."""

    @abstractmethod
    def write(self, folder: Path) -> str:
        """Write the table of the finished jobs in the folder of a sweep; return it as Markdown, empty without jobs."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Write what there is, so that a sweep that is interrupted has a table as far as it got."""
        self.write(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Print the table."""
        from rich.markdown import Markdown  # which no run of its own needs

        if text := self.write(Path(config.hydra.sweep.dir)):
            print_table(Markdown(text))


def finished_jobs(folder: Path) -> list[Path]:
    """Return the folders of the finished jobs of a sweep."""
    jobs = sorted(path.parent.parent for path in folder.glob("*/.hydra/hydra.yaml"))
    return [job for job in jobs if is_finished(job)]


def choices_of_job(job: Path) -> DictConfig:
    """Return the options of every group that a job was run with."""
    choices: DictConfig = read_job_config(job, "hydra").hydra.runtime.choices
    return choices


def mean_cost(costs: Sequence[Mapping[str, float]], names: Sequence[str]) -> dict[str, float]:
    """Return the mean of each number that the runs of a system cost."""
    return {name: float(np.mean([cost[name] for cost in costs])) for name in names}


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells, the second of dashes, as Markdown."""
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
