"""YAML files of a user's own, read with ``--config-dir``: mistakes in them are found, older keys are understood."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.conftest import call

RECIPE = """
# @package _global_
defaults:
  - override /model: linear
weight: 0.5                     # read below
model:
  targets: {radius: 1.5}        # a key of version 0.1
  head:
    displacement_weight: ${weight}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Return the file of an experiment of the user's."""
    path = tmp_path / "my_conf" / "experiment" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(RECIPE, encoding="utf-8")
    return path


def test_a_recipe_of_ones_own(recipe: Path, tiny: list[str], tmp_path: Path) -> None:
    """It is trained; the key of version 0.1 is named once, and a key that only others refer to is no mistake."""
    words = ["experiment=mine", *tiny, "trainer.max_epochs=1", "hydra.run.dir=run"]
    called = call("train.py", "--config-dir", "my_conf", *words, cwd=tmp_path)
    assert called.status == 0, called.err
    assert called.err.count("model.targets is now model.head\n") == 1
    assert orjson.loads((tmp_path / "run" / "metrics.json").read_bytes())["test"]["games"] == 1


def test_a_key_that_nothing_reads(recipe: Path, tiny: list[str], tmp_path: Path) -> None:
    """A misspelt section would otherwise be ignored in silence."""
    recipe.write_text(RECIPE.replace("\nmodel:", "\nmodle:"), encoding="utf-8")
    called = call("train.py", "--config-dir", "my_conf", "experiment=mine", *tiny, cwd=tmp_path)
    assert (called.status, called.err) == (2, "error: modle: nothing reads this key; did you mean model?\n")
    assert [path.name for path in tmp_path.iterdir()] == ["my_conf"]


def test_a_folder_that_is_not_there(tiny: list[str], tmp_path: Path) -> None:
    """It is named."""
    called = call("train.py", "--config-dir", "my_conf", *tiny, cwd=tmp_path)
    assert called.status == 2
    assert len(called.err.splitlines()) == 1
    assert "my_conf" in called.err
