"""Every model as a config would build it, with data in memory, from Python alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from spotter.data.arrays import ArraySource
from spotter.data.source import ImageSpec, Inputs, InputSpec
from spotter.data.streams import Stream
from spotter.tasks import Task
from spotter.training.callbacks.ema import Ema
from spotter.training.datamodule import SpottingDataModule
from spotter.training.module import SpottingModule
from spotter.types import Batch, Clip, Half, HalfRecord, Spots

DEVICE = torch.device(os.environ.get("GPU_TESTS_DEVICE", "cuda"))
TASK = Task.load("soccernet-v2")
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
    small : replaces arguments of the network, in tests that look at more than speed
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


def _e2e(head: dict[str, Any], **network: Any) -> Example:
    augment = {"flip": 0.5, "jitter": 0.25, "hue": [-0.2, 0.2], "saturation": [0.7, 1.2], "brightness": [0.7, 1.2]}
    small = {
        "backbone": "resnet18",
        "backbone_args": {"layers": [1, 1, 1, 1], "channels": [16, 32, 64, 64], "stem_type": "deep", "stem_width": 8},
    }
    return Example(
        {"_target_": f"{MODELS}.e2e_spot.network.E2ESpot", **network},
        head,
        {"clip_len": 100, "eval_len": 200, "overlap": 0.25},
        small,
        stream=None,
        mixup={"alpha": 0.2, "probability": 1.0},
        augment={**augment, "contrast": [0.7, 1.2], "blur": [0.1, 2.0]},
        batch_size=8,
        eval_batch_size=4,
    )


FRAME = {"_target_": f"{MODELS}.blocks.frame.FrameHead", "foreground_weight": 5.0, "dropout": 0.5}
TRANSFORMER = {"dim": 32, "layers": 1, "heads": 2, "feedforward": 64}
EXAMPLES = {
    "linear": _dense("linear.PerFrame", 64, {}),
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
    "calf": Example(
        {"_target_": f"{MODELS}.calf.network.Calf", "receptive_field": 80},
        {"_target_": f"{MODELS}.calf.head.CalfHead", "clip_len": 240, "margins": MARGINS, "neutral": 40},
        {"clip_len": 240, "margin": 40, "overlap": 0.0, "sampling": "balanced", "spot_margin": 80},
        {"dim": 32},
        stream=RESNET,
        batch_size=32,
        optimizer={"schedule": "plateau"},
    ),
    "e2e_spot": _e2e(FRAME, shift="gsm"),
    "e2e_spot_tsm": _e2e(FRAME, shift="tsm"),
    "e2e_spot_dense": _e2e(DENSE | {"radius": 2 / 25, "displacement_radius": 4 / 25}, shift="gsm"),
}
FEATURES = [name for name, example in EXAMPLES.items() if example.stream is not None]


class VideoArrays:
    """Give images that lie in memory, (T, H, W, 3) uint8 for each half, as a source of video does."""

    def __init__(self, halves: Sequence[np.ndarray], spec: InputSpec) -> None:
        self.spec, self.fps = spec, spec.fps
        self._images = {Half("video", i): images for i, images in enumerate(halves, start=1)}
        self.halves = list(self._images)

    def missing(self, half: Half) -> list[Path]:
        """Return no files."""
        return []

    def offset(self, half: Half) -> float:
        """Return the seconds of the first image."""
        return self.spec.offset

    def length(self, half: Half) -> int:
        """Return the half's number of images."""
        return len(self._images[half])

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Copy clips into one tensor, zero outside the half."""
        images = next(iter(self._images.values()))
        out = np.zeros((len(clips), clip_len, *images.shape[1:]), np.uint8)
        for i, clip in enumerate(clips):
            images = self._images[halves[clip.half]]
            first, last = max(0, clip.start), min(len(images), clip.start + clip_len)
            out[i, first - clip.start : last - clip.start] = images[first:last]
        return {"video": torch.from_numpy(out)}, {"video": torch.zeros(len(clips))}

    def video(self, half: Half) -> Path | None:
        """Return None."""
        return None

    def native_fps(self, half: Half) -> float | None:
        """Return the rate."""
        return self.fps


def build(name: str, small: bool = True, batches: int = 4, seed: int = 1) -> tuple[SpottingModule, SpottingDataModule]:
    """Build a model and random data for it.

    small : a network that is built and run in no time; else the published size
    batches : of an epoch
    """
    example, rng = EXAMPLES[name], np.random.default_rng(seed)
    source = _source(example, small, rng)
    network = example.network | (example.small if small else {})
    batch_size = 4 if small else example.batch_size
    clips = {"sampling": "uniform", **example.clips, "per_epoch": batches * batch_size}
    if small and example.stream is None:
        clips |= {"clip_len": 8, "eval_len": 16}
    augmentation = {"mixup": example.mixup, "augment": example.augment}
    torch.manual_seed(seed)
    module = SpottingModule(
        TASK.to_dict(),
        source.spec.to_dict(),
        network,
        example.head,
        clips,
        {"method": "nms", "window": 2.0},
        {"lr": 1e-3, **example.optimizer},
        {key: value for key, value in augmentation.items() if value},
    )
    data = SpottingDataModule(
        TASK.to_dict(), source, clips, batch_size=batch_size, eval_batch_size=4 if small else example.eval_batch_size
    )
    records = [HalfRecord(half, source.length(half), _spots(source, half, rng)) for half in source.halves]
    data.records, data.targets = {"train": records, "valid": records}, module.head.targets
    return module, data


def _source(example: Example, small: bool, rng: np.random.Generator) -> ArraySource | VideoArrays:
    if example.stream is None:
        size, frames = ((32, 48), 64) if small else ((224, 398), 256)
        images = [rng.integers(0, 256, (frames, *size, 3), np.uint8) for _ in range(2)]
        return VideoArrays(images, InputSpec.video(25.0, ImageSpec(size)))
    stream: dict[str, Any] = dict(example.stream)
    if small:
        stream |= {"width": 24, "groups": [8, 16]}
    spec = InputSpec.features([Stream.load("demo", {"file": "demo", **stream})])
    arrays = [rng.standard_normal((600, stream["width"]), np.float32).astype(np.float16) for _ in range(4)]
    return ArraySource(arrays, stream["fps"], spec)


def _spots(source: ArraySource | VideoArrays, half: Half, rng: np.random.Generator) -> Spots:
    seconds = source.length(half) / source.fps
    count = max(3, int(seconds / 15))
    label, time = rng.integers(len(TASK.classes), size=count), np.sort(rng.uniform(0, seconds, count))
    return Spots(label, time, np.ones(count, bool))


def trainer(folder: Path, callbacks: Iterable[pl.Callback] = (), **settings: Any) -> pl.Trainer:
    """Return a trainer with what ``conf/trainer`` sets, and nothing that writes."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    usual = {"max_epochs": 1, "gradient_clip_val": 1.0, "num_sanity_val_steps": 0, "limit_val_batches": 0}
    accelerator = "gpu" if DEVICE.type == "cuda" else "cpu"
    how = {"accelerator": accelerator, "devices": 1, "use_distributed_sampler": False, "enable_model_summary": False}
    return pl.Trainer(default_root_dir=folder, callbacks=[*callbacks], **{**quiet, **usual, **how, **settings})


class NoSync(pl.Callback):
    """Make every wait for the device an error, from the second batch on, until the last has ended.

    The last of the callbacks, so that what others do after a batch is looked at, too.
    """

    def __init__(self) -> None:
        self.steps = 0

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Begin."""
        if batch_idx == 1:
            allow_waiting(False)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count, and end with the last batch."""
        self.steps += 1
        if batch_idx + 1 == trainer.num_training_batches:
            allow_waiting(True)

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """End."""
        allow_waiting(True)


def allow_waiting(allowed: bool) -> None:
    """Say whether the host may wait for the device; where it may not, that raises RuntimeError."""
    if DEVICE.type == "cuda":
        torch.cuda.set_sync_debug_mode("default" if allowed else "error")


def training_batch(data: SpottingDataModule, device: torch.device = DEVICE) -> Batch:
    """Return the first batch of an epoch on a device."""
    return data.transfer_batch_to_device(next(iter(data.train_dataloader())), device, 0)


def evaluation_batch(data: SpottingDataModule, device: torch.device = DEVICE) -> Batch:
    """Return the first batch of a validation on a device."""
    return data.transfer_batch_to_device(next(iter(data.val_dataloader())), device, 0)


def state(module: SpottingModule) -> Mapping[str, Tensor]:
    """Return a copy of all weights on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}


def ema() -> Ema:
    """Return the callback that averages weights, as all runs have it."""
    return Ema(decay=0.99)
