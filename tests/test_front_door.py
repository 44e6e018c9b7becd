"""``import spotter`` is quick and light, and offers what it promises, typed."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import spotter
from tests.conftest import PROJECT

LIGHT = """
import sys, time
import spotter
assert not {"torch", "numpy", "hydra", "yaml", "pytorch_lightning"} & set(sys.modules), "heavy"
print(time.process_time())
"""


def test_import_is_light_and_quick() -> None:
    """Neither torch nor NumPy; under 0.15 CPU seconds, the interpreter's own start included."""
    runs = [subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(run.stdout) for run in runs) < 0.15


@pytest.mark.parametrize("name", spotter.__all__)
def test_what_is_promised_is_there(name: str) -> None:
    """Every name, documented."""
    assert name in dir(spotter)
    assert getattr(spotter, name).__doc__


def test_unknown_name() -> None:
    """A misspelt name is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="laod"):
        spotter.laod  # noqa: B018


def test_package_is_typed_and_whole() -> None:
    """``py.typed`` and the configs are found; every package is listed for the wheel."""
    assert files("spotter").joinpath("py.typed").is_file()
    assert files("spotter.conf").joinpath("train.yaml").is_file()
    listed = re.search(r"\npackages = \[(.*?)\]", (PROJECT / "pyproject.toml").read_text(encoding="utf-8"), re.DOTALL)
    assert listed is not None
    packages = {".".join(path.parent.relative_to(PROJECT).parts) for path in Path(PROJECT, "spotter").rglob("*.py")}
    assert set(re.findall(r'"([\w.]+)"', listed[1])) == packages | {"spotter.conf"}
