"""Stage one from end to end: clips are classified, and the checkpoint makes features that a head trains on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest

from spotter.io.checkpoints import open_checkpoint
from tests.conftest import call
from tests.helpers.predicting import history
from tests.helpers.videos import write_matches

SIZES = {
    "clip_classifier": ["model.network.backbone=resnet10t", "model.network.shift=tsm"],
    "clip_transformer": ["size=demo", "model.head_lr_factor=10"],
}


@pytest.mark.parametrize("model", ["clip_classifier", pytest.param("clip_transformer", marks=pytest.mark.slow)])
def test_a_stage_one_makes_features_for_a_head(model: str, tmp_path: Path) -> None:
    root = write_matches(tmp_path / "matches")
    words = [
        f"model={model}",
        "data=ball",
        f"data.root={root}",
        "data.fps=5",
        "data.size=[36,64]",
        "data.num_workers=0",
    ]
    words += ["data.batch_size=4", "data.eval_batch_size=2", "model.clips.clip_len=8"]
    words += [
        "model.clips.per_epoch=8",
        "model.pretrained=false",
        "trainer=cpu",
        "trainer.max_epochs=1",
        "logger=none",
        *SIZES[model],
    ]
    called = call("train.py", *words, "hydra.run.dir=run", cwd=tmp_path)
    assert called.status == 0, called.err
    (row,) = history(tmp_path / "run")
    assert all(0 <= float(row[name]) <= 1 for name in ("train/clip_accuracy", "val/clip_accuracy", "val/map_at_1"))
    rates = {group["lr"] for group in open_checkpoint(tmp_path / "run/checkpoints/last.ckpt")["optimizer_states"][0][
        "param_groups"]}  # fmt: skip
    assert max(rates) == pytest.approx(10 * min(rates))

    called = call("extract", str(root), "out", "--backbone", "run/checkpoints/best.ckpt", "--fps", "5", "--name", "one",
                  "--task", "ball-2023", "--device", "cpu", cwd=tmp_path)  # fmt: skip
    assert called.status == 0, called.err
    rows = np.load(tmp_path / "out/l/s/b/1_one.npy")
    about = orjson.loads((tmp_path / "out/l/s/b/1_one.json").read_bytes())
    assert rows.shape == (50, about["width"])
    assert np.isfinite(rows).all()
    words = ["model=linear", "data=features", "data.name=one", "data.task=ball-2023", "data.root=out", "trainer=cpu"]
    words += ["trainer.max_epochs=1", "model.clips.per_epoch=64", "logger=none", "hydra.run.dir=head"]
    called = call("train.py", *words, cwd=tmp_path)
    assert called.status == 0, called.err
    own = ["ckpt=head/checkpoints/best.ckpt", "extractor=run/checkpoints/best.ckpt", f"input={root}/l/s/b/224p.mp4"]
    called = call("predict.py", *own, "out=spots", "trainer=cpu", cwd=tmp_path)
    assert called.status == 0, called.err
