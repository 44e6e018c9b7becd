"""What tests share: a tiny simulated tree, configs for runs of seconds, and the scripts as a user calls them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from spotter.data.demo import simulate

PROJECT = Path(__file__).parent.parent
Script = Callable[..., subprocess.CompletedProcess[str]]

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start; busy threads on few cores slow each other
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a simulated official tree: 2 + 1 + 1 games of two 4-minute halves, 32 columns."""
    return simulate(tmp_path_factory.mktemp("tree"), games=(2, 1, 1), minutes=4, width=32)


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
        "logger=none",
    ]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Return a function that runs ``train.py`` or ``predict.py`` in ``tmp_path`` as a user would."""

    def run(name: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [sys.executable, str(PROJECT / name), *arguments]
        environment = {k: v for k, v in os.environ.items() if k != "SOCCERNET_ROOT"} | (env or {})
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False, env=environment
        )

    return run
