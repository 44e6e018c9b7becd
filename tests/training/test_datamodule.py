"""What a run is trained on, as a user meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from spotter.errors import UserError
from spotter.training.datamodule import SpottingDataModule
from spotter.training.trainer import Trainer
from tests.conftest import call
from tests.helpers.trees import TASK, source_of, write_game


def test_features_of_another_rate_are_refused_before_training(tree: Path, tiny: list[str], tmp_path: Path) -> None:
    """Read as two rows a second, features of one end in the middle of each half."""
    words = [*tiny, f"data.root={tree}", "data._target_=spotter.training.datamodule.SpottingDataModule", "~data.demo"]
    called = call("train.py", *words, "data.fps=2", cwd=tmp_path)
    assert called.status == 1
    assert called.err.strip().splitlines()[-1].startswith("error: ")
    assert "training spots (" in called.err
    assert "check data.fps, or train without them: data.max_beyond_end=1" in called.err


@pytest.mark.slow
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


def test_a_validation_split_without_a_spot_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_game(tmp_path, "a", {1: 30, 2: 30}, [(1, "Goal", 1000)])
    write_game(tmp_path, "b", {1: 30, 2: 30}, [(1, "Handball", 1000)])
    splits = {"train": ["a"], "valid": ["b"], "test": []}
    clips = {"clip_len": 10, "per_epoch": 64}
    SpottingDataModule(TASK.to_dict(), source_of(tmp_path), clips, str(tmp_path), splits).setup("fit")
    assert "split valid has no spot of task hockey: its scores are 0, and choose no checkpoint" in caplog.text


def test_readers_are_as_many_as_the_machine_feeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.data.workers.usable_cores", lambda: 6)
    data = SpottingDataModule(TASK.to_dict(), source_of(tmp_path), {"clip_len": 10}, num_workers=None)
    assert data.workers == 0, "without a trainer nothing else would compute meanwhile"
    data.trainer = Trainer(accelerator="cpu", logger=False)
    assert data.workers == 2
    data.trainer = Trainer(accelerator="cpu", devices=3, strategy="ddp", logger=False)
    assert data.workers == 1
    data.trainer = Trainer(accelerator="cpu", max_cpu_seconds=5, logger=False)
    assert data.workers == 0, "nothing counts the seconds of other processes"
    given = SpottingDataModule(TASK.to_dict(), source_of(tmp_path), {"clip_len": 10}, num_workers=3)
    assert given.workers == 3
    for wrong in ({"num_workers": -1}, {"num_workers": "many"}, {"prefetch_factor": 0}):
        with pytest.raises(UserError, match=rf"^data\.{next(iter(wrong))}: expected a whole number of at least"):
            SpottingDataModule(TASK.to_dict(), source_of(tmp_path), {"clip_len": 10}, **wrong)  # type: ignore[arg-type]


def test_a_batch_that_devices_cannot_share_is_refused_before_they_start(tiny: list[str], tmp_path: Path) -> None:
    called = call("train.py", *tiny, "trainer=ddp_cpu", "trainer.devices=3", cwd=tmp_path)
    assert called.status == 1
    assert (
        called.err.strip()
        .splitlines()[-1]
        .startswith("error: data.batch_size: 8 clips do not spread evenly over 3 devices; give a multiple of 3")
    )
