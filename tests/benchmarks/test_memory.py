"""A tree of 550 games at full width: ready within seconds, and in memory only what a batch needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.conftest import environment
from tests.helpers.sparse import sparse_tree

READY = 5.0  # seconds
GROWTH = 300.0  # MB over what imports, network and one batch need
SLACK = 40.0  # MB, between trees of 55 and 550 games


def figures(root: Path) -> dict[str, float]:
    """Return what a training process measured on a tree."""
    program = Path(__file__).with_name("training_process.py")
    ran = subprocess.run(
        [sys.executable, str(program), str(root)], capture_output=True, text=True, check=False, env=environment()
    )
    assert ran.returncode == 0, ran.stderr
    return orjson.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_training_process(tmp_path: Path, dtype: str) -> None:
    """Time to be ready, and growth of anonymous memory, for a tenth of the tree and for all of it."""
    part = figures(sparse_tree(tmp_path / "part", (35, 10, 10), dtype))
    whole = figures(sparse_tree(tmp_path / "whole", (350, 100, 100), dtype))
    for name, found in (("55 games", part), ("550 games", whole)):
        sys.stdout.write(f"\n{dtype}, {name}: " + ", ".join(f"{key} {value:.2f}" for key, value in found.items()))
    assert (part["halves"], whole["halves"]) == (110, 1100)
    assert whole["ready_s"] < READY
    assert whole["training_mb"] < GROWTH
    assert whole["training_mb"] - part["training_mb"] < SLACK
