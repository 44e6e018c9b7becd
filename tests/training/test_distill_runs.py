"""COMEDIAN's second stage and its third, as a user runs them: features beside video, then labels from its weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest

from spotter.io.checkpoints import open_checkpoint
from tests.conftest import call
from tests.helpers.predicting import history, predict
from tests.helpers.videos import write_matches

SMALL = [
    *("data=ball", "data.fps=12.5", "data.size=[36,64]", "data.batch_size=2", "data.eval_batch_size=2"),
    *("model.clips.clip_len=16", "model.clips.margin=2", "model.network.image=[32,32]", "model.network.depth=1"),
    *("model.network.spatial_args.depth=1", "model.pretrained=false"),
    *("data.num_workers=0", "trainer=cpu", "trainer.max_epochs=2", "trainer.check_val_every_n_epoch=1", "logger=none"),
]
TEACHER = [
    *("experiment=comedian_distill", "model.clips.per_epoch=6", "model.head.hidden=16", "model.head.queue=24"),
    *("data.source.teacher.file=teacher", "data.source.teacher.fps=4", "data.source.teacher.width=5"),
]


@pytest.fixture(scope="module")
def matches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree of matches of ten seconds with features beside them, four a second."""
    root = write_matches(tmp_path_factory.mktemp("matches"))
    for number, game in enumerate("abc"):
        rows = np.random.default_rng(number).normal(size=(40, 5)).astype(np.float32)
        np.save(root / f"l/s/{game}/1_teacher.npy", rows)
    return root


@pytest.fixture(scope="module")
def distilled(matches: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of the second stage."""
    cwd = tmp_path_factory.mktemp("distilled")
    called = call("train.py", *TEACHER, *SMALL, f"data.root={matches}", cwd=cwd)
    assert called.status == 0, called.err
    return next(cwd.glob("outputs/comedian-ball/*"))


@pytest.mark.slow
def test_third_stage_begins_with_the_second(distilled: Path, matches: Path, tmp_path: Path) -> None:
    """It takes the whole network, and the probe; features are needed no longer."""
    root = tmp_path / "video alone"
    shutil.copytree(matches, root, ignore=shutil.ignore_patterns("*.npy"))
    words = ["experiment=comedian_soccernet", *SMALL, f"data.root={root}"]
    called = call("train.py", *words, f"model.init_from={distilled}/checkpoints/last.ckpt", cwd=tmp_path)
    assert called.status == 0, called.err
    ours, theirs = (
        len(open_checkpoint(path)["state_dict"]) for path in tmp_path.glob("outputs/*/*/checkpoints/*.ckpt")
    )
    assert f"took {ours} of {theirs} tensors" in called.err + called.out


@pytest.mark.slow
def test_second_stage_is_a_run_like_others(distilled: Path, matches: Path, tmp_path: Path) -> None:
    """Its probe is scored, its checkpoint predicts from video alone, and remembers what it compares with."""
    rows = history(distilled)
    assert all(float(row["train/distillation"]) > 0 and float(row["val/distillation"]) > 0 for row in rows)
    assert set(orjson.loads((distilled / "metrics.json").read_bytes())) == {"valid", "test"}
    shutil.copy(matches / "l/s/c/224p.mp4", tmp_path / "own.mp4")
    predict(tmp_path, f"ckpt={distilled}/checkpoints/best.ckpt", "input=own.mp4", "out=own")
    assert open_checkpoint(distilled / "checkpoints" / "last.ckpt")["state_dict"]["head.queue"].any(1).all()


@pytest.mark.slow
def test_features_of_another_rate_end_a_run_in_one_line(matches: Path, tmp_path: Path) -> None:
    called = call("train.py", *TEACHER, *SMALL, f"data.root={matches}", "data.source.teacher.fps=2", cwd=tmp_path)
    assert called.status == 1
    assert "set data.source.teacher.fps" in called.err
    assert "Traceback" not in called.err
