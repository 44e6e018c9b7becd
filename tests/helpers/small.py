"""Sizes of models that spare time, as overrides of their configs."""

from __future__ import annotations

VIDEO = ["model.pretrained=false", "data.size=[32,48]", "model.clips.clip_len=8"]
SMALL: dict[str, list[str]] = {  # sizes that spare time; a model that is not listed is built as large as it is
    "linear": [],
    "transformer": ["model.network.dim=16", "model.network.heads=2"],
    "window_transformer": ["model.network.dim=16", "model.network.heads=2"],
    **{key: ["model.network.dim=16"] for key in ("maxpool", "avgpool", "calf", "grounding_calf")},
    **{key: ["model.network.dim=16", "model.network.clusters=4"] for key in ("netvlad", "netrvlad", "netvladpp")},
    "rms": ["model.network.dim=16", "model.network.width=16"],
    "ste": [f"model.network.{size}" for size in ("hidden=16", "dim=16", "channels=[16,16]", "width=16")],
    "unet": ["model.network.mlp=[16,16,8]", "model.network.cap=16"],
    "astra": [f"model.network.{size}" for size in ("dim=16", "heads=2", "feedforward=16", "hidden=8")],
    "t_deed": [*VIDEO, "model.network.layers=1"],
    "adaspot": [*VIDEO, "model.network.side=32"],
    "comedian": [
        *(*VIDEO, "model.clips.margin=1"),
        *("model.network.image=[32,32]", "model.network.depth=1", "model.network.spatial_args.depth=1"),
    ],
    "baikulov": ["model.pretrained=false", "data.size=[32,48]", "model.clips.eval_len=31"],
    "clip_classifier": VIDEO,
    "clip_transformer": [*VIDEO, "model.network.width=24", "model.network.heads=2", "model.network.depth=1"],
    "e2e_spot": VIDEO,
    "e2e_spot_dense": VIDEO,
}
