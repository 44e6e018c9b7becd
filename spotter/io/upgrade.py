"""Settings of checkpoints that an earlier version wrote, under the names of today; weights are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMAT = 2  # of checkpoints, today's
RENAMED = {  # networks and heads, below spotter.models
    "calf.Calf": "calf.network.Calf",
    "calf_head.CalfHead": "calf.head.CalfHead",
    "e2e_spot.E2ESpot": "e2e_spot.network.E2ESpot",
    "heads.DenseHead": "blocks.dense.DenseHead",
    "heads.WindowHead": "blocks.window.WindowHead",
    "heads.FrameHead": "blocks.frame.FrameHead",
    "window_heads.OffsetHead": "rms.OffsetHead",
    "window_heads.PositionHead": "ste.PositionHead",
}
OPTIMIZER = ("lr", "weight_decay", "warmup", "final_lr", "schedule", "plateau", "sam")
AUGMENTATION = ("mixup", "augment")
NAMES = {  # of arguments
    "row_drop": "token_dropout",
    "group_drop": "extractor_dropout",
    "positive_share": "positive_weight",
}
PREFIX = "spotter.models."
CLIPS = {"partners": "balanced_mixup", "inset": "spot_margin"}  # of settings of clips, also in format 2
TILES = ("tiles", "non_overlapping")  # how they are drawn


def upgrade_settings(old: Mapping[str, Any], version: int) -> dict[str, Any]:
    """Return hyper-parameters of a checkpoint of any format under the names of today."""
    settings = _from_format_1(old) if version == 1 else dict(old)
    clips = {CLIPS.get(key, key): value for key, value in settings["clips"].items()}
    if clips.get("sampling") == TILES[0]:
        clips["sampling"] = TILES[1]
    return {**settings, "clips": clips}


def _from_format_1(old: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyper-parameters of format 1, of version 0.1, as those of format 2.

    Modules have moved; a head makes its own targets, so that it takes their arguments; anchors per frame belong to
    the network; what concerns the optimizer and augmentation stands together; and the seed is the data module's.
    """
    network, head = _rename_target(old["network"]), _rename_target(old["head"])
    if old.get("upsample", 1) != 1 or not str(network.get("_target_")).startswith(PREFIX):
        network["upsample"] = old.get("upsample", 1)
    targets = {key: value for key, value in old.get("targets", {}).items() if key not in ("_target_", "upsample")}
    head = {**targets, **head}
    return {
        **{key: old[key] for key in ("task", "source", "clips", "postprocess")},
        "network": {NAMES.get(key, key): value for key, value in network.items()},
        "head": {NAMES.get(key, key): value for key, value in head.items()},
        "optimizer": {key: old[key] for key in OPTIMIZER if key in old},
        "augmentation": {key: old[key] for key in AUGMENTATION if old.get(key)} or None,
    }


def _rename_target(config: Mapping[str, Any]) -> dict[str, Any]:
    target = str(config.get("_target_", ""))
    if target.startswith(PREFIX):
        name = target.removeprefix(PREFIX)
        target = PREFIX + RENAMED.get(name, name)
    return {**config, "_target_": target}
