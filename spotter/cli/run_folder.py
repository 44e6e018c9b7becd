"""The folder of a run: claimed by one run alone, and the same for all of its ranks, whenever each of them starts."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, StringNode, read_write

from spotter.cli.overrides import hydra_string
from spotter.errors import FAILURE, UsageError, UserError
from spotter.interpolation import escape
from spotter.io.run_folders import is_finished_run

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

KEY = "spotter/run_dir"  # in the store that ranks share
RELEASE = 15.0  # seconds in which what is left of a killed run lets go of its folder


class LiteralPaths(Callback):
    """Let the folder that is worked in, and that of a run, be called whatever they are, ``${e}`` for example."""

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Make Hydra's nodes of both take any text as it is."""
        runtime = config.hydra.runtime
        for key, text in (("cwd", os.getcwd()), ("output_dir", "???")):
            runtime.__dict__["_content"][key] = _Literal(text, key=key, parent=runtime)


TIMED = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d$")  # a folder of the moment, as conf/hydra/default.yaml has it


class _Literal(StringNode):
    """Hold a text in which nothing is interpolated."""

    def _set_value(self, value: Any, flags: dict[str, bool] | None = None) -> None:
        super()._set_value(escape(value) if isinstance(value, str) else value, flags)


class RunFolder(Callback):
    """Let Hydra write to a folder that no other run has, unless one is given."""

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Claim the folder of a run; ranks that were started one by one are told which it is."""
        if config.hydra.output_subdir is None or _is_given(config, "hydra.run.dir"):
            return  # a prediction has no folder of its own
        first, several = outside_ranks()
        try:
            folder = str(claim(Path(config.hydra.run.dir))) if first else ""
            folder = _agree(folder, first) if several else folder
        except UserError as error:  # Hydra would only warn of it
            sys.stderr.write(f"error: {error}\n")
            raise SystemExit(FAILURE) from error
        with read_write(config.hydra):
            config.hydra.run.dir = escape(folder)
            if not first:
                config.hydra.output_subdir = None

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Claim the folder of a sweep, unless a config names one in which the sweep goes on, as compare_real does."""
        if not _is_given(config, "hydra.sweep.dir") and TIMED.search(str(config.hydra.sweep.dir)):
            folder = claim(Path(config.hydra.sweep.dir))
            with read_write(config.hydra):
                config.hydra.sweep.dir = escape(str(folder))
                config.hydra.overrides.hydra.append(f"hydra.sweep.dir={hydra_string(str(folder))}")


def claim(folder: Path) -> Path:
    """Create a folder that is not there yet and return it: ``folder``, or ``<folder>_2`` and so on."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        claimed = folder if number == 1 else folder.with_name(f"{folder.name}_{number}")
        try:
            claimed.mkdir()
        except FileExistsError:
            number += 1
        else:
            return claimed


def check_unfinished(folder: Path) -> None:
    """Raise UserError for the folder of a finished run, which a new run would write over."""
    if is_finished_run(folder):
        last = shlex.quote(f"ckpt={folder / 'checkpoints' / 'last.ckpt'}")
        raise UserError(
            f"{folder}: holds a finished run: give another hydra.run.dir, or go on with it, {last} trainer.max_epochs=…"
        )


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder while the block runs; raises UserError where one is at work there."""
    descriptor = os.open(folder, os.O_RDONLY)
    released = False

    def release() -> None:  # a process that reads data would hold it on
        if not released:
            os.close(descriptor)

    os.register_at_fork(after_in_child=release)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        released = True
        os.close(descriptor)


def outside_ranks() -> tuple[bool, bool]:
    """Return whether this process is the first of a run, and whether others were started beside it, not by it.

    torchrun, srun, and RANK and WORLD_SIZE set by hand start all ranks; NODE_RANK alone starts the first of each node.
    """
    given = os.environ
    if int(given.get("WORLD_SIZE", 1)) > 1 and "RANK" in given:
        return int(given["RANK"]) == 0, True
    if int(given.get("SLURM_NTASKS", 1)) > 1 and given.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        return int(given.get("SLURM_PROCID", 0)) == 0, "SLURM_PROCID" in given
    if "NODE_RANK" in given and "MASTER_ADDR" in given and "LOCAL_RANK" not in given:
        return int(given["NODE_RANK"]) == 0, True
    return not int(given.get("LOCAL_RANK", 0)), False


def _agree(folder: str, first: bool) -> str:
    """Return the folder of the first rank, on every rank, with its whole path on the others."""
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

    from spotter.inference.ranks import tell_all

    _stand_in_for_torchrun()
    if "SLURM_PROCID" in os.environ and "MASTER_ADDR" not in os.environ:
        os.environ["MASTER_ADDR"] = SLURMEnvironment().main_address
        os.environ["MASTER_PORT"] = str(SLURMEnvironment().main_port)
    address, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if not address or not port:
        raise UsageError("RANK and WORLD_SIZE are set: set MASTER_ADDR and MASTER_PORT, too, the same for all ranks")
    return tell_all(f"{KEY}/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", folder, first)


def _stand_in_for_torchrun() -> None:
    """Complete what a user has set of RANK, WORLD_SIZE and LOCAL_RANK, as torchrun sets it."""
    given = os.environ
    if "RANK" in given and "WORLD_SIZE" in given and "TORCHELASTIC_RUN_ID" not in given:
        here = given.get("LOCAL_WORLD_SIZE", given["WORLD_SIZE"])
        given.setdefault("LOCAL_RANK", str(int(given["RANK"]) % int(here)))
        given.setdefault("GROUP_RANK", given.get("NODE_RANK", str(int(given["RANK"]) // int(here))))
        given["TORCHELASTIC_RUN_ID"] = "by hand"


def _lock(descriptor: int, folder: Path) -> None:
    end = time.monotonic() + RELEASE
    while fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < end:
                time.sleep(0.2)
                continue
            raise UserError(f"{folder}: another run is at work there; wait for it, or give another folder") from None
        except OSError:  # not every file system has locks
            return
        return


def _is_given(config: DictConfig, key: str) -> bool:
    return any(str(word).lstrip("+").startswith(f"{key}=") for word in config.hydra.overrides.hydra)
