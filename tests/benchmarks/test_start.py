"""How soon commands answer, and how soon training begins, in CPU seconds of whole processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Note
from tests.benchmarks.pairs import compare
from tests.conftest import environment
from tests.helpers.sparse import sparse_tree

SMALL = "model.network.dim=32 model.network.heads=4 model.network.layers=1 data.batch_size=16 data.num_workers=0"


def run(*arguments: str, status: int = 0, cwd: Path | None = None) -> None:
    """Run Python as a user's shell does."""
    command = [sys.executable, *arguments]
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment())
    assert ran.returncode == status, ran.stderr


@pytest.mark.parametrize(
    ("key", "command", "status", "imported"),
    [
        ("version", ["--version"], 0, "numpy"),
        ("help", ["--help"], 0, "numpy"),
        ("train_help", ["train", "--help"], 0, "numpy"),
        ("misspelt_model", ["train", "model=transfomer"], 2, "torch"),
        ("misspelt_key", ["train", "model.lrr=1"], 2, "torch"),
    ],
)
def test_answers(note: Note, key: str, command: list[str], status: int, imported: str) -> None:
    note(
        key, compare(lambda: run("-m", "spotter", *command, status=status), lambda: run("-c", f"import {imported}"), 9)
    )


def test_first_step(note: Note, tmp_path: Path) -> None:
    """From the command through one step of training and one of validation, on sparse files of full width."""
    few = sparse_tree(tmp_path / "few", (7, 2, 2), "float16")
    many = sparse_tree(tmp_path / "many", (350, 100, 100), "float16")

    def train(root: Path) -> None:
        words = [f"data.root={root}", *SMALL.split(), "trainer=cpu", "logger=none", "+trainer.fast_dev_run=true"]
        run("-m", "spotter", "train", "model=transformer", "data=baidu", *words, cwd=tmp_path)

    note("first_step", compare(lambda: train(many), lambda: train(few), 3))
    note("first_step_imports", compare(lambda: train(few), lambda: run("-c", "import torch"), 3))
