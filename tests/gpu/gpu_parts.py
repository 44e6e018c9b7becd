"""Every model as a config would build it, with data in memory, from Python alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from gpu_examples import EXAMPLES, Example
from torch import Tensor

from spotter.data.arrays import ArrayRows
from spotter.data.rows import cut_rows
from spotter.data.source import REPLAY, ImageSpec, Inputs, InputSpec
from spotter.data.streams import Stream
from spotter.training.callbacks.ema import Ema
from spotter.training.datamodule import SpottingDataModule
from spotter.training.module import SpottingModule
from spotter.types import Batch, Clip, Half, HalfRecord, Spots

DEVICE = torch.device(os.environ.get("GPU_TESTS_DEVICE", "cuda"))


class FeatureArrays:
    """Give features that lie in memory, (T, D) float16 for each stream and half, as a source of features does.

    Where ``spec`` asks for replays, the first ``SHOWN`` rows of a half are the replay beside all of its clips.
    """

    SHOWN = 20

    def __init__(self, streams: Mapping[str, Sequence[np.ndarray]], spec: InputSpec) -> None:
        self.spec, self.fps, self._streams = spec, spec.fps, streams
        self.halves = [Half("features", i) for i, _ in enumerate(next(iter(streams.values())), start=1)]

    def missing(self, half: Half) -> list[Path]:
        """Return no files."""
        return []

    def offset(self, half: Half) -> float:
        """Return the seconds of the first row."""
        return self.spec.offset

    def length(self, half: Half) -> int:
        """Return the half's number of rows."""
        return len(next(iter(self._streams.values()))[half.number - 1])

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Copy clips into one tensor per stream, zero outside the half."""
        inputs, first = {}, np.array([clip.start for clip in clips], np.int64)
        for name, arrays in self._streams.items():
            rows = [ArrayRows(arrays[halves[clip.half].number - 1]) for clip in clips]
            inputs[name] = torch.from_numpy(cut_rows(rows, first, clip_len, rows[0].width))
            if self.spec.before is not None:
                shown = torch.from_numpy(cut_rows(rows, np.zeros(len(rows), np.int64), self.SHOWN, rows[0].width))
                inputs[f"{REPLAY}{name}"] = shown.repeat(1, -(-clip_len // self.SHOWN), 1)[:, :clip_len]
        return inputs, {name: torch.zeros(len(clips)) for name in inputs}

    def rows(self, half: Half) -> Iterable[tuple[str, ArrayRows]]:
        """Return the half's arrays by stream."""
        return [(name, ArrayRows(arrays[half.number - 1])) for name, arrays in self._streams.items()]

    def video(self, half: Half) -> Path | None:
        """Return None."""
        return None

    def native_fps(self, half: Half) -> float | None:
        """Return the rate."""
        return self.fps


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
        clips |= example.small_clips
    augmentation = {"mixup": example.mixup, "augment": example.augment}
    torch.manual_seed(seed)
    module = SpottingModule(
        example.task.to_dict(),
        source.spec.to_dict(),
        network,
        example.head,
        clips,
        {"method": "nms", "window": 2.0},
        {"lr": 1e-3, **example.optimizer},
        {key: value for key, value in augmentation.items() if value},
    )
    data = SpottingDataModule(
        example.task.to_dict(),
        source,
        clips,
        batch_size=batch_size,
        eval_batch_size=4 if small else example.eval_batch_size,
    )
    records = [HalfRecord(half, source.length(half), _spots(source, half, example, rng)) for half in source.halves]
    data.records, data.targets = {"train": records, "valid": records}, module.head.targets
    return module, data


def _source(example: Example, small: bool, rng: np.random.Generator) -> FeatureArrays | VideoArrays:
    if example.stream is None:
        size, frames = ((32, 48), 64) if small else ((224, 398), 256)
        images = [rng.integers(0, 256, (frames, *size, 1 if example.grey else 3), np.uint8) for _ in range(2)]
        return VideoArrays(images, InputSpec.video(25.0, ImageSpec.load({"size": size, "grey": example.grey})))
    stream: dict[str, Any] = dict(example.stream)
    if small:
        stream |= {"width": 24, "groups": [8, 16]}
    streams = {"demo": stream, **example.beside}
    spec = InputSpec.features(
        [Stream.load(name, {"file": name, **each}) for name, each in streams.items()], before=example.before
    )
    arrays = {
        name: [rng.standard_normal((600, each["width"]), np.float32).astype(np.float16) for _ in range(4)]
        for name, each in streams.items()
    }
    return FeatureArrays(arrays, spec)


def _spots(source: FeatureArrays | VideoArrays, half: Half, example: Example, rng: np.random.Generator) -> Spots:
    seconds = source.length(half) / source.fps
    count = max(3, int(seconds / 15))
    label, time = rng.integers(len(example.task.classes), size=count), np.sort(rng.uniform(0, seconds, count))
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
