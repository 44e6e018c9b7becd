"""The notebooks run from the first cell to the last, and hold no outputs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.conftest import PROJECT, environment

NOTEBOOKS = sorted(PROJECT.glob("docs/notebooks/*.ipynb"))
SHELL = re.compile(r"^!(.*)$", re.MULTILINE)


def cells(path: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = orjson.loads(path.read_bytes())["cells"]
    return [cell for cell in content if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_is_stored_but_what_was_written(path: Path) -> None:
    for cell in cells(path):
        assert (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    """As one script, ``!command`` as a shell's, what a cell shows as its last line computed."""
    lines = ["import subprocess"]
    for cell in cells(path):
        lines.append(SHELL.sub(r"subprocess.run(rf'''\1''', shell=True, check=True)", "".join(cell["source"])))
    script = "\n".join(lines).replace("from IPython.display import HTML, display", "HTML = display = str")
    (tmp_path / "cells.py").write_text(script, encoding="utf-8")
    path_of_commands = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        [sys.executable, "cells.py"], cwd=tmp_path, env=environment({"PATH": path_of_commands}),
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
