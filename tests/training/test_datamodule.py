"""What a run is trained on, as a user meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import call


def test_features_of_another_rate_are_refused_before_training(tree: Path, tiny: list[str], tmp_path: Path) -> None:
    """Read as two rows a second, features of one end in the middle of each half."""
    words = [*tiny, f"data.root={tree}", "data._target_=spotter.training.datamodule.SpottingDataModule", "~data.demo"]
    called = call("train.py", *words, "data.fps=2", cwd=tmp_path)
    assert called.status == 1
    assert called.err.strip().splitlines()[-1].startswith("error: ")
    assert "training spots (" in called.err
    assert "check data.fps, or train without them: data.max_beyond_end=1" in called.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "Handball"}, "split train has no spot to train on: none of the labels of its"),
        ({"gameTime": "3 - 05:10"}, "split train has no spot to train on: none of the labels of its"),
        ({"gameTime": "90:01"}, "entry 1 has the gameTime '90:01', not text like '1 - 12:34', half and time"),
    ],
)
def test_nothing_to_train_on_is_an_error(
    tree: Path, tiny: list[str], tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    root = Path(shutil.copytree(tree, tmp_path / "root"))
    for file in root.rglob("Labels-v2.json"):
        content = json.loads(file.read_text())
        content["annotations"] = [{**entry, **change} for entry in content["annotations"]]
        file.write_text(json.dumps(content))
    words = [*tiny, f"data.root={root}", "data._target_=spotter.training.datamodule.SpottingDataModule", "~data.demo"]
    called = call("train.py", *words, cwd=tmp_path)
    assert called.status == 1
    assert said in called.err.strip().splitlines()[-1]
