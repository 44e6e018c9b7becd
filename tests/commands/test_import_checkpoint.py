"""An imported checkpoint predicts what the codebase that it comes from says, in the order of our classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import torch

from spotter.commands import main
from spotter.models.e2e_spot import load_published
from spotter.tasks import Task
from spotter.training.checkpoint import load_module, open_checkpoint
from spotter.training.module import SpottingModule
from tests.conftest import call
from tests.data.videos import write_video
from tests.models.golden import save, state_of

SOCCER = {"dataset": "soccernetv2", "clip_len": 6, "crop_dim": None, "modality": "rgb", "dilate_len": 0}
BALL = {"dataset": "soccernet_ball", "clip_len": 6, "crop_dim": 64, "modality": "rgb", "dilate_len": 1}


def imported(folder: Path, *words: str) -> SpottingModule:
    """Import the checkpoint in a folder and open what was written."""
    assert main(["import-checkpoint", str(folder), str(folder / "out.ckpt"), "--from", "e2e-spot", *words]) == 0
    return load_module(open_checkpoint(folder / "out.ckpt")).eval()


@pytest.mark.parametrize("temporal", ["gru", "mstcn", "asformer", "none"])
def test_classes_come_in_our_order(temporal: str, tmp_path: Path) -> None:
    task = Task.load("soccernet-v2")
    save(tmp_path, state_of(temporal=temporal, classes=17), **SOCCER)
    module, theirs = imported(tmp_path), load_published(tmp_path)
    torch.manual_seed(0)
    clips, valid = torch.randn(2, 6, 3, 32, 32), torch.ones(2, 6, dtype=torch.bool)
    with torch.no_grad():
        said, _ = module.head.predict(module.head(module.network({"video": clips}, {}, valid)))
        share = theirs(clips).softmax(-1)
    order = [1 + sorted(task.classes).index(name) for name in task.classes]
    assert order[0] == 10, "penalty is the tenth by name"
    torch.testing.assert_close(said.sigmoid(), share[..., order], rtol=1e-4, atol=1e-6)


def test_a_checkpoint_says_how_it_was_fed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path, state_of(temporal="none", classes=17), **SOCCER)
    module = imported(tmp_path)
    assert "soccernet-v2" in capsys.readouterr().out
    source, found = module.hparams["source"], module.hparams
    assert (module.rate, source["size"], source["crop"]) == (25 / 12, [224, 398], None)
    assert (module.plan.clip_len, module.plan.overlap) == (6, 0.5)
    assert np.floor(module.postprocess.window * module.rate / 2 + 1e-9) == 2, "frames on either side"
    assert found["targets"]["dilate"] == 0
    save(tmp_path, state_of("tsm_block", "none", classes=2), **BALL)
    module = imported(tmp_path)
    assert module.task.name == "ball-2023"
    assert (module.rate, module.hparams["source"]["crop"]) == (25, [64, 64])
    assert (module.postprocess.window, module.hparams["targets"]["dilate"]) == (2.0, 1)
    assert module.hparams["network"]["shift"] == "tsm_block"


def test_own_videos_are_predicted_with_it(tmp_path: Path) -> None:
    save(tmp_path, state_of(temporal="none", classes=2), **BALL)
    imported(tmp_path)
    write_video(tmp_path / "match.mp4", 20)
    called = call("predict.py", f"ckpt={tmp_path / 'out.ckpt'}", f"input={tmp_path / 'match.mp4'}", cwd=tmp_path)
    assert called.status == 0, called.err
    written = next(tmp_path.rglob("match/results_spotting.json"))
    spots = orjson.loads(written.read_bytes())["predictions"]
    assert {spot["label"] for spot in spots} <= {"PASS", "DRIVE"}
    assert spots


@pytest.mark.parametrize(
    ("config", "words", "said"),
    [
        ({"dataset": "tennis"}, [], ["tennis", "--task and --fps"]),
        ({"dataset": "tennis"}, ["--task", "ball-2023"], ["--fps"]),
        ({"dataset": "soccernetv2"}, [], ["2 classes", "17"]),
        ({"modality": "flow"}, [], ["flow"]),
        ({"clip_len": None}, [], ["config.json", "clip length"]),
    ],
)
def test_mistakes_are_one_line(
    config: dict[str, Any], words: list[str], said: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {key: value for key, value in {**BALL, **config}.items() if value is not None}
    save(tmp_path, state_of(temporal="none", classes=2), **settings)
    assert main(["import-checkpoint", str(tmp_path), str(tmp_path / "out.ckpt"), "--from", "e2e-spot", *words]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert all(word in lines[0] for word in said), lines
    assert not (tmp_path / "out.ckpt").exists()
