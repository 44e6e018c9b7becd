"""Training on a tree of full width keeps in memory only what a batch needs, however many games there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson

from tests.benchmarks.conftest import Note
from tests.benchmarks.pairs import Pairs
from tests.conftest import PROJECT, environment
from tests.helpers.sparse import sparse_tree

AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}  # what is freed is given back


def memory(root: Path, halves: int) -> float:
    """Return the MB by which a training process grew, over what imports, network and one batch need."""
    command = [sys.executable, "-m", "tests.benchmarks.training_process", str(root)]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, env=environment(AT_ONCE))
    assert ran.returncode == 0, ran.stderr
    found = orjson.loads(ran.stdout.splitlines()[-1])
    assert found["halves"] == halves
    return found["training_mb"]


def test_memory(note: Note, tmp_path: Path) -> None:
    part = sparse_tree(tmp_path / "part", (35, 10, 10), "float32")
    whole = sparse_tree(tmp_path / "whole", (350, 100, 100), "float32")
    note("memory", Pairs([memory(whole, 1100) for _ in range(3)], [memory(part, 110) for _ in range(3)]))
