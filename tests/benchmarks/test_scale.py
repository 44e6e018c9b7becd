"""Ten thousand games cost little more than ten times what a thousand do: nothing is quadratic or loads all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson

from tests.conftest import PROJECT, environment
from tests.helpers.sparse import sparse_tree

MORE = 20  # ten times the games may cost so many times as much; a hundred would be quadratic
NO_MORE = 2.0, 100.0  # CPU seconds and MB that are not worth a comparison


def figures(root: Path) -> dict[str, float]:
    """Return CPU seconds and MB of each part of setting up and beginning an epoch."""
    command = [sys.executable, "-m", "tests.benchmarks.scale_process", str(root)]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, env=environment())
    assert ran.returncode == 0, ran.stderr
    found: dict[str, float] = orjson.loads(ran.stdout.splitlines()[-1])
    return found


def test_ten_times_the_games(tmp_path: Path) -> None:
    few = figures(sparse_tree(tmp_path / "few", (800, 100, 100), "float16"))
    many = figures(sparse_tree(tmp_path / "many", (8000, 1000, 1000), "float16"))
    for name, value in many.items():
        sys.stdout.write(f"\n| {name} | {few[name]:.2f} | {value:.2f} |")
        assert value < max(MORE * few[name], NO_MORE[name.endswith("_mb")]), name
