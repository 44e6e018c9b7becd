"""Settings of checkpoints that version 0.1 wrote become those of today."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spotter.errors import UserError
from spotter.io.checkpoints import open_checkpoint
from spotter.io.upgrade import upgrade_settings

OLD: dict[str, Any] = {
    "task": {"name": "t"},
    "source": {"kind": "features", "root": "/data", "streams": {}},
    "network": {"_target_": "spotter.models.transformer.Transformer", "dim": 8, "row_drop": 0.2},
    "head": {"_target_": "spotter.models.heads.DenseHead", "positive_share": 0.03},
    "targets": {"_target_": "spotter.data.targets.DenseTargets", "radius": 2.0, "upsample": 2},
    "clips": {"clip_len": 8},
    "postprocess": {"method": "nms", "window": 5.0},
    "upsample": 2,
    "lr": 1e-3,
    "schedule": "cosine",
    "sam": None,
    "mixup": {"alpha": 2.0, "probability": 0.5},
    "augment": None,
    "seed": 3,
}


def test_what_moved_is_where_it_is_today() -> None:
    new = upgrade_settings(OLD, 1)
    assert new["network"] == {
        "_target_": "spotter.models.transformer.Transformer", "dim": 8, "token_dropout": 0.2, "upsample": 2,
    }  # fmt: skip
    assert new["head"] == {
        "_target_": "spotter.models.blocks.dense.DenseHead",
        "radius": 2.0,
        "positive_weight": 0.03,
    }
    assert new["optimizer"] == {"lr": 1e-3, "schedule": "cosine", "sam": None}
    assert new["augmentation"] == {"mixup": OLD["mixup"]}
    assert {key: new[key] for key in ("task", "clips", "postprocess")} == {
        key: OLD[key] for key in ("task", "clips", "postprocess")
    }
    assert set(new) == {
        "task", "source", "network", "head", "clips", "postprocess", "optimizer", "augmentation",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("target", "upsample", "given"),
    [("spotter.models.rms.RMSNet", 1, None), ("spotter.models.unet.UNet", 2, 2), ("mine.Network", 1, 1)],
)
def test_anchors_per_frame_are_the_network_s(target: str, upsample: int, given: int | None) -> None:
    """Networks of spotter with one per frame take no such argument; those of a user may need it."""
    new = upgrade_settings({**OLD, "network": {"_target_": target}, "upsample": upsample}, 1)
    assert new["network"].get("upsample") == given


def test_damaged_settings_and_foreign_files_are_one_line(tmp_path: Any) -> None:
    path = tmp_path / "old.ckpt"
    lacking = {key: value for key, value in OLD.items() if key != "clips"}
    torch.save({"spotter_format": 1, "hyper_parameters": lacking, "state_dict": {}}, path)
    with pytest.raises(UserError, match="damaged, its settings lack 'clips'"):
        open_checkpoint(path)
    path = tmp_path / "model.pth.tar"
    torch.save({"epoch": 3, "state_dict": {"fc.weight": torch.zeros(2)}}, path)
    with pytest.raises(UserError, match=r"model\.pth\.tar: not a spotter checkpoint; .* spotter import-checkpoint"):
        open_checkpoint(path)


@pytest.mark.parametrize("version", [1, 2])
def test_settings_of_clips_get_their_names_of_today(version: int) -> None:
    settings = OLD if version == 1 else upgrade_settings(OLD, 1)
    old = {"clip_len": 8, "sampling": "tiles", "per_epoch": 0, "partners": True, "inset": 2}
    new = upgrade_settings({**settings, "clips": old}, version)["clips"]
    assert new == {
        "clip_len": 8,
        "sampling": "non_overlapping",
        "per_epoch": 0,
        "balanced_mixup": True,
        "spot_margin": 2,
    }
    assert upgrade_settings({**settings, "clips": new}, version)["clips"] == new
