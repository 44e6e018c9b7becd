"""A job of Hydra, from its words to its end: errors in one line, and what started processes see."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from spotter.cli.aliases import translate_config
from spotter.cli.compose import run_hydra
from spotter.cli.conf_files import keys_of
from spotter.cli.mistakes import CONFIG_ERRORS, check, explain_deletion
from spotter.cli.run_config import restore_config
from spotter.cli.run_folder import outside_ranks
from spotter.errors import UserError
from spotter.trust import search_current_folder

T = TypeVar("T")
OWN_CONFIGS = ("--config-dir", "-cd", "--config-path", "-cp", "hydra.searchpath")


def is_main_process() -> bool:
    """Say whether this is the first process of a run."""
    return outside_ranks()[0]


def is_job_of_sweep(hydra: HydraConf) -> bool:
    """Say whether a run has a number in a sweep, also where it is a process of its own."""
    return not OmegaConf.is_missing(hydra.job, "num")


def set_command_line(typed: Sequence[str], words: Sequence[str]) -> None:
    """Replace what was typed in ``sys.argv``, from which processes for other devices are started."""
    sys.argv[len(sys.argv) - len(typed) :] = words


def command_of(name: str) -> list[str]:
    """Return how another process of ``train`` or ``predict`` is started: as this one was, or as a module."""
    script = Path(sys.argv[0])
    return (
        [sys.executable, str(script.absolute())]
        if script.name == f"{name}.py"
        else [sys.executable, "-m", "spotter", name]
    )


def own_configs(hydra: HydraConf) -> list[str]:
    """Return the words by which a command was given configs of the user's."""
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    searched = [word for word in hydra.overrides.hydra if word.startswith("hydra.searchpath=")]
    return [*(word for path in folders for word in ("--config-dir", path)), *searched]


def run_jobs(name: str, words: Sequence[str], job: Callable[[DictConfig], T]) -> T | None:
    """Run ``job`` with the config that the words compose, and return its result; a sweep returns that of its last.

    Where the words bring configs or a class of the user's, modules of the current folder can be imported. Raises the
    first mistake of a user, in a sweep after its last job.
    """
    if any(word.startswith(OWN_CONFIGS) or "_target_" in word for word in words):
        search_current_folder()
    kept = _Job(name, job)
    try:
        run_hydra(name, words, kept)
    except Exception as error:
        kept.mistake = kept.mistake or error  # else this is a sweeper that got no score at all
    finally:
        if kept.folder is not None:
            _close_log(kept.folder)  # else the next command of this process would begin in it
    if kept.mistake is None:
        return kept.result
    raise kept.mistake


class _Job(Generic[T]):
    """Call a job, and keep its result and a user's mistake: Hydra would print lines of its own on an exception.

    The job of a sweep that fails has no score; the others go on, and the sweep's table marks it.
    """

    def __init__(self, name: str, job: Callable[[DictConfig], T]) -> None:
        self.name, self.job = name, job
        self.result: T | None = None
        self.mistake: Exception | None = None
        self.folder: Path | None = None  # of the last job

    def __call__(self, cfg: DictConfig) -> T | None:
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        if not is_main_process():
            logging.getLogger("spotter").setLevel(logging.ERROR)
        hydra = HydraConfig.get()
        self.result, self.folder = None, Path(hydra.runtime.output_dir)
        try:
            translate_config(cfg)
            check(cfg, hydra.runtime.choices, {"hydra", *keys_of(self.name)})
            self.result = self.job(cfg)
        except BaseException as raised:
            _leave_no_empty_folder(hydra)
            restore_config(self.folder)
            error = explain_deletion(raised, hydra.overrides.task) or raised
            if not isinstance(error, (UserError, OSError, *CONFIG_ERRORS)):
                raise
            if hydra.mode == RunMode.MULTIRUN:
                logging.getLogger("spotter").error("%s", error)
            self.mistake = self.mistake or error
        return self.result


def _leave_no_empty_folder(hydra: HydraConf) -> None:
    """Take the folder of a run away that ends before it has written anything.

    Those of a sweep's jobs stay, since the sweep lists them all; ranks that another process started have none.
    """
    run = Path(hydra.runtime.output_dir)
    if hydra.output_subdir is None or is_job_of_sweep(hydra):
        return
    if {path.name for path in run.glob("*")} <= {".hydra", "run.log"}:
        _close_log(run)  # else it would write its file again, or fail to
        shutil.rmtree(run, ignore_errors=True)
        for folder in list(run.parents)[:2]:  # outputs/<model>-<data>
            if folder != Path.cwd() and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _close_log(run: Path) -> None:
    """Write no more to the log in the folder of a run."""
    for handler in list(logging.root.handlers):
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename) == run.absolute() / "run.log":
            logging.root.removeHandler(handler)
            handler.close()
