"""Every model as a config would build it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from spotter.tasks import Task

TASK = Task.load("soccernet-v2")
REPLAYS = Task.load("replays")
MODELS = "spotter.models"
BAIDU = {"fps": 1.0, "width": 8576, "groups": [2048, 2048, 384, 2048, 2048]}
RESNET = {"fps": 2.0, "width": 512, "groups": [512]}
DENSE = {"_target_": f"{MODELS}.blocks.dense.DenseHead", "radius": 2.0, "displacement_radius": 6.0}
BETA = {"alpha": 2.0, "probability": 0.5}
MARGINS = [[-20.0, -10.0, 60.0, 90.0]] * len(TASK.classes)


@dataclass(frozen=True)
class Example:
    """Hold what a config says of one model, in its published size, and what makes it small.

    stream : of features; None for video
    beside : more streams of features, by name
    before : seconds before replays that are searched, of networks that ground them; None for others
    small, small_clips : replace arguments of the network, and clips of video, in tests that look at more than speed
    """

    network: dict[str, Any]
    head: dict[str, Any]
    clips: dict[str, Any]
    small: dict[str, Any] = field(default_factory=dict)
    stream: dict[str, Any] | None = field(default_factory=lambda: BAIDU)
    mixup: dict[str, Any] | None = None
    augment: dict[str, Any] | None = None
    batch_size: int = 64
    eval_batch_size: int = 16
    optimizer: dict[str, Any] = field(default_factory=dict)
    grey: bool = False
    small_clips: dict[str, Any] = field(default_factory=lambda: {"clip_len": 8, "eval_len": 16})
    beside: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: float | None = None
    task: Task = TASK


def _dense(target: str, clip_len: int, small: dict[str, Any], **rest: Any) -> Example:
    network = {"_target_": f"{MODELS}.{target}", "upsample": 2, **rest.pop("network", {})}
    head, clips = DENSE | rest.pop("head", {}), {"clip_len": clip_len, **rest.pop("clips", {})}
    return Example(network, head, clips, small, **({"mixup": BETA} | rest))


def _window(
    target: str, window: int, small: dict[str, Any], head: str = "blocks.window.WindowHead", **rest: Any
) -> Example:
    network = {"_target_": f"{MODELS}.{target}", "window": window, **rest.pop("network", {})}
    clips = {"clip_len": window, "eval_len": 240, "margin": window // 2, "overlap": 0.0, **rest.pop("clips", {})}
    return Example(
        network, {"_target_": f"{MODELS}.{head}", "window": window}, clips, small, **({"stream": RESNET} | rest)
    )


def _pool(window: int = 40, **network: Any) -> Example:
    return _window("pooling.Pooling", window, {"clusters": 8} if "clusters" in network else {}, network=network)


def _video(target: str, head: dict[str, Any], clips: dict[str, Any], small: dict[str, Any], **rest: Any) -> Example:
    augment = {"flip": 0.5, "jitter": 0.25, "hue": [-0.2, 0.2], "saturation": [0.7, 1.2], "brightness": [0.7, 1.2]}
    return Example(
        {"_target_": f"{MODELS}.{target}", **rest.pop("network", {})},
        head,
        {"clip_len": 100, "eval_len": 200, "overlap": 0.25, **clips},
        small,
        stream=None,
        augment={**augment, "contrast": [0.7, 1.2], "blur": [0.1, 2.0]},
        batch_size=8,
        eval_batch_size=4,
        **({"mixup": {"alpha": 0.2, "probability": 1.0}} | rest),
    )


def _e2e(head: dict[str, Any], **network: Any) -> Example:
    return _video("e2e_spot.network.E2ESpot", head, {}, RESNET18, network=network)


def _clips(network: str, small: dict[str, Any], eval_len: int = 128) -> Example:
    """Return one of the networks of stage one; windows of evaluation are as long as in training."""
    return _video(
        f"clip_classifier.{network}",
        {"_target_": f"{MODELS}.clip_classifier.head.ClipHead", "window": 16},
        {"clip_len": 16, "eval_len": eval_len, "margin": 8, "overlap": 0.0},
        small,
        small_clips={"eval_len": 32},
        network={"window": 16},
        mixup=None,
        optimizer={"head_lr_factor": 10.0},
    )


def _calf(network: dict[str, Any], small: dict[str, Any], **rest: Any) -> Example:
    head = {"_target_": f"{MODELS}.calf.head.CalfHead", "clip_len": 240, "margins": MARGINS, "neutral": 40}
    clips = {"clip_len": 240, "margin": 40, "overlap": 0.0, "sampling": "balanced", "spot_margin": 80}
    plateau = {"schedule": "plateau"}
    usual = {"head": head, "clips": clips, "stream": RESNET, "batch_size": 32, "optimizer": plateau}
    return Example({"receptive_field": 80, **network}, small=small, **(usual | rest))


def _players(players: str, small: dict[str, Any]) -> Example:
    network = {"_target_": f"{MODELS}.calf.players.CalfPlayers", "players": players}
    return _calf(network, small, beside={"players": {"fps": 2.0, "width": 184}})


def _grounding(target: str, head: dict[str, Any], clips: dict[str, Any], small: dict[str, Any], **rest: Any) -> Example:
    return Example(
        {"_target_": f"{MODELS}.grounding.{target}", **rest.pop("network", {})},
        {**head, "_target_": f"{MODELS}.{head['_target_']}"},
        clips,
        small,
        **{"stream": RESNET, "before": 120.0, "task": REPLAYS, "batch_size": 32, **rest},
    )


RESNET18 = {
    "backbone": "resnet18",
    "backbone_args": {"layers": [1, 1, 1, 1], "channels": [16, 32, 64, 64], "stem_type": "deep", "stem_width": 8},
}
SHORT = {"clip_len": 8, "eval_len": 8}  # for networks that see no more frames than in training
FRAME = {"_target_": f"{MODELS}.blocks.frame.FrameHead", "foreground_weight": 5.0, "dropout": 0.5}
TRANSFORMER = {"dim": 32, "layers": 1, "heads": 2, "feedforward": 64}
EXAMPLES = {
    "linear": _dense("linear.PerFrame", 64, {}),
    "tcn": _dense("tcn.TemporalConvNet", 400, {}, network={"upsample": 1}, mixup=None),
    "transformer": _dense("transformer.Transformer", 64, TRANSFORMER),
    "unet": _dense("unet.UNet", 112, {"mlp": [32, 32], "cap": 32}, clips={"margin": 20, "overlap": 0.0}),
    "astra": _dense(
        "astra.Astra",
        50,
        {"dim": 32, "heads": 2, "feedforward": 64, "hidden": 32, "decoder_layers": 1},
        network={"clip_len": 50},
        head={"displacement_radius": 3.0, "displacement": "gaussian", "positive_weight": None, "focal_gamma": 1.0}
        | {"hidden": 64, "mix_displacement": True},
        clips={"balanced_mixup": True},
        mixup={"alpha": 1.0, "beta": 0.6, "probability": 1.0},
        augment={"swap": 0.3},
    ),
    "window_transformer": _window(
        "window_transformer.WindowTransformer", 7, TRANSFORMER, stream=BAIDU, clips={"eval_len": 70, "margin": 7}
    ),
    "rms": _window(
        "rms.RMSNet",
        41,
        {"dim": 32, "width": 32},
        "rms.OffsetHead",
        clips={"sampling": "balanced"},
        augment={"mask_before": 0.3, "swap": 0.0},
    ),
    "ste": _window("ste.STE", 16, {"hidden": 32, "dim": 32, "channels": [32, 32], "width": 32}, "ste.PositionHead"),
    "maxpool": _pool(pool="max"),
    "avgpool": _pool(pool="mean"),
    "netvlad": _pool(pool="netvlad", clusters=64),
    "netrvlad": _pool(pool="netrvlad", clusters=64),
    "netvladpp": _pool(30, pool="netvlad", clusters=64, aware=True),
    "calf": _calf({"_target_": f"{MODELS}.calf.network.Calf"}, {"dim": 32}),
    "calf_image": _players("image", {"dim": 32}),
    "calf_graph": _players("graph", {"dim": 32}),
    "grounding": _grounding(
        "query.ReplayQuery",
        {
            **DENSE,
            "_target_": "blocks.dense.DenseHead",
            "radius": 1.5,
            "shape": "gaussian",
            "displacement": "none",
            "positive_weight": None,
        },
        {"clip_len": 242},
        {"dim": 32, "heads": 2, "feedforward": 64},
    ),
    "grounding_calf": _grounding(
        "siamese.SiameseCalf",
        {"_target_": "grounding.head.GroundingHead", "clip_len": 240, "neutral": 40},
        {"clip_len": 240, "margin": 40, "overlap": 0.0, "sampling": "balanced", "spot_margin": 80},
        {"dim": 32},
        network={"receptive_field": 80},
        optimizer={"schedule": "plateau"},
    ),
    "grounding_netvlad": _grounding(
        "siamese.SiameseVlad",
        {"_target_": "grounding.head.MomentHead", "clip_len": 240},
        {"clip_len": 240, "margin": 40, "overlap": 0.0, "sampling": "balanced", "spot_margin": 80},
        {"clusters": 4, "hidden": 16},
        optimizer={"schedule": "plateau"},
    ),
    "e2e_spot": _e2e(FRAME, shift="gsm"),
    "e2e_spot_tsm": _e2e(FRAME, shift="tsm"),
    "t_deed": _video(
        "t_deed.network.TDeed",
        {"_target_": f"{MODELS}.blocks.displaced.DisplacedHead", "dilate": 4},
        {"eval_len": 100, "overlap": 0.5},
        {**RESNET18, "clip_len": 8, "kernel": 3, "layers": 1},
        small_clips=SHORT,
        network={"clip_len": 100},
    ),
    "adaspot": _video(
        "adaspot.network.AdaSpot",
        {"_target_": f"{MODELS}.blocks.frame.FrameHead", "mean_of_stages": True},
        {"eval_len": 100, "overlap": 0.5},
        {**RESNET18, "clip_len": 8, "side": 32},
        small_clips=SHORT,
        network={"clip_len": 100},
    ),
    "comedian": _video(
        "comedian.network.Comedian",
        {**DENSE, "radius": 0.5, "displacement": "none", "prior": 0.5},
        {"clip_len": 128, "eval_len": 128, "margin": 2},
        {"clip_len": 8, "image": [32, 32], "depth": 1, "spatial_args": {"depth": 1}},
        small_clips=SHORT,
        network={"clip_len": 128, "image": [224, 224]},
    ),
    "baikulov": _video(
        "baikulov.network.Baikulov",
        {"_target_": f"{MODELS}.baikulov.head.MiddleHead", "window": 29, "middle": 15},
        {"clip_len": 29, "eval_len": 156, "margin": 14, "overlap": 0.0, "sampling": "balanced", "spot_margin": 10},
        RESNET18,
        small_clips={"eval_len": 40},
        grey=True,
        mixup=None,
    ),
    "clip_classifier": _clips("network.ShiftedClips", RESNET18),
    "clip_transformer": _clips("divided.DividedTransformer", {"width": 48, "depth": 2, "heads": 2}, eval_len=64),
    "e2e_spot_dense": _e2e(DENSE | {"radius": 2 / 25, "displacement_radius": 4 / 25}, shift="gsm"),
}
