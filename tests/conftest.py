"""What tests share: a tiny simulated tree, configs for runs of seconds, and the scripts as a user calls them."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hypothesis import settings

from spotter.cli import main
from spotter.extraction.write import write_features
from spotter.simulation.features import simulate

PROJECT = Path(__file__).parent.parent
Script = Callable[..., subprocess.CompletedProcess[str]]

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start; busy threads on few cores slow each other
torch.set_num_threads(1)
settings.register_profile("spotter", deadline=None)  # how long an example takes says nothing on a loaded machine
settings.load_profile("spotter")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a simulated official tree: 2 + 1 + 1 games of two 4-minute halves, 32 columns."""
    return simulate(tmp_path_factory.mktemp("tree"), games=(2, 1, 1), minutes=4, width=32)


@pytest.fixture(scope="session")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree of a game whose features an extractor wrote, ``mine`` and ``other``, the JSON files beside them."""
    root = tmp_path_factory.mktemp("extracted")
    for name, fps, width in (("mine", Fraction(1), 16), ("other", Fraction(2), 8)):
        for half in (1, 2):
            target = root / "league" / "season" / "game" / f"{half}_{name}.npy"
            target.parent.mkdir(parents=True, exist_ok=True)
            rows = np.ones((int(600 * fps), width))
            write_features(target, rows, "float16", fps, {"backbone": name, "weights": "none"})
    return root


@pytest.fixture(scope="session")
def tiny(tree: Path) -> list[str]:
    """Return overrides of ``train.py`` for a run of seconds on ``tree``."""
    return [
        f"data.root={tree}",
        "data.demo.games=[2,1,1]",
        "data.demo.minutes=4",
        "data.width=32",
        "data.source.streams.demo.groups=[8,8,1,7,8]",
        "data.batch_size=8",
        "model.clips.per_epoch=32",
        "trainer=cpu",
        "trainer.max_epochs=2",
        "trainer.check_val_every_n_epoch=1",
        "logger=none",
    ]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Return a function that runs ``train.py`` or ``predict.py`` in ``tmp_path`` as a user would."""

    def run(name: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return process(name, *arguments, cwd=tmp_path, env=env)

    return run


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what a user's shell has set, whatever the tests' own has."""
    ours = ("SOCCERNET_ROOT", "SPOTTER_DEBUG", "PL_", "WANDB_", "SLURM_", "HYDRA_")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | dict(changes or {})


def process(
    name: str, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, as a user would."""
    command: Sequence[str] = [sys.executable, str(PROJECT / name), *arguments]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, env=environment(env)
    )


@dataclass(frozen=True)
class Called:
    """Hold what a script left: its exit status, standard output and standard error."""

    status: int
    out: str
    err: str


def call(name: str, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Called:
    """Run a script within this process, which spares the seconds that a new one needs to import everything."""
    GlobalHydra.instance().clear()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
        mock.patch.object(sys, "argv", [str(PROJECT / name), *arguments]),
        mock.patch.dict(os.environ, environment(env), clear=True),
    ):
        try:
            status = main([Path(name).stem, *arguments])
        except SystemExit as ended:  # --help
            status = int(ended.code or 0)
        finally:
            if wandb := sys.modules.get("wandb"):
                wandb.teardown()  # it keeps the environment of the first run of a process, such as WANDB_MODE
    return Called(status, out.getvalue(), err.getvalue())


def on_ranks(world: int, work: Callable[[], int], limit: float = 120.0) -> list[int]:
    """Run ``work`` on ``world`` ranks, each a fork of this process set up as torchrun would; return exit statuses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def rank(number: int) -> None:
        names = {"RANK": number, "LOCAL_RANK": number, "GROUP_RANK": 0, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
        names |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "tests"}
        os.environ |= {name: str(value) for name, value in names.items()}
        os._exit(work())

    ranks = [multiprocessing.get_context("fork").Process(target=rank, args=(number,)) for number in range(world)]
    try:
        for each in ranks:
            each.start()
        for each in ranks:
            each.join(limit)
        return [-1 if each.exitcode is None else each.exitcode for each in ranks]
    finally:
        for each in ranks:
            each.kill()


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content, except for reports, which name their folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "report.html")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="session")
def trained(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one finished run; tests only look at it."""
    cwd = tmp_path_factory.mktemp("trained")
    called = call("train.py", *tiny, cwd=cwd)
    assert called.status == 0, called.err
    return next(cwd.glob("outputs/transformer-demo/*"))
