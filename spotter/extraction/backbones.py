"""What turns frames into vectors: networks of timm, and checkpoints of spotter that read video."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from timm.data.config import resolve_data_config
from torch import Tensor, nn

from spotter.data.video.source import VideoSource
from spotter.errors import UserError
from spotter.extraction.frames import Choice, ImageView, VideoFrames, View, check_readable
from spotter.extraction.sn_spotting import RECIPES, build_network
from spotter.inference.background import in_background
from spotter.inference.engine import Compute, pick_device, run
from spotter.inference.model import Model, load_model
from spotter.inference.precision import fast_precision
from spotter.io.hub import is_hub
from spotter.models.blocks.backbones import create, load_imagenet, width_of
from spotter.models.blocks.shift import Frames
from spotter.types import Batch, Half, HalfRecord, Plain

Progress = Callable[[float], None]
ON_CPU, ON_GPU = 8, 32  # frames at once: what a core is fastest with, and what keeps a GPU busy


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Hold what a network makes of the frames of one video.

    frames : (N, width), NaN where a frame cannot be read
    rate : frames per second
    duration : seconds of the video
    offset : seconds of frame 0
    rows : how many rows they make; None for as many as begin within the duration
    """

    frames: NDArray[np.float32]
    rate: Fraction
    duration: Fraction
    offset: float = 0.0
    rows: int | None = None


class Backbone(Protocol):
    """Turn a video into vectors of its frames.

    about : what tells its features from those of others, as plain values
    """

    about: Plain

    @property
    def width(self) -> int:
        """Return how many numbers a vector has."""

    def vectors(self, path: Path, fps: Fraction, progress: Progress | None = None) -> Vectors:
        """Return vectors of a video's frames, at ``fps`` or at the network's own rate.

        progress : called with the fraction of the video that is done
        """


@dataclass(eq=False)
class FrameBackbone:
    """Run a network of images over every frame, each once.

    stop : raise UserError where a frame cannot be decoded, in place of leaving its vector without numbers
    choose : which images of a video are its frames; None for those nearest to their times
    """

    name: str
    network: nn.Module
    view: ImageView
    compute: Compute
    stop: bool = True
    choose: Choice | None = None
    about: Plain = field(init=False)

    def __post_init__(self) -> None:
        self.about = {"backbone": self.name, "weights": digest(self.network.state_dict()), **self.view.about}
        self.network.eval().requires_grad_(False).to(self.compute.device).to(memory_format=torch.channels_last)

    @property
    def width(self) -> int:
        """Return how many numbers a vector has."""
        return width_of(self.network)

    def vectors(self, path: Path, fps: Fraction, progress: Progress | None = None) -> Vectors:
        """Return vectors of frames at ``fps``; decoding goes on while the network runs."""
        frames = VideoFrames(path, fps, self.view, self.choose)
        out = np.empty((frames.count, self.width), np.float32)
        readable = np.empty(frames.count, bool)
        first = 0
        for vectors, ok in in_background(self._run, frames.chunks(self.compute.batch_size)):
            out[first : first + len(vectors)], readable[first : first + len(vectors)] = vectors, ok
            first += len(vectors)
            if progress is not None:
                progress(first / frames.count)
        if self.stop:
            check_readable(path, readable, fps)
        out[~readable] = np.nan
        return Vectors(out, fps, frames.duration, frames.offset, frames.count if self.choose else None)

    @torch.inference_mode()
    def _run(self, chunk: tuple[NDArray[np.uint8], NDArray[np.bool_]]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        images, readable = chunk
        with self.compute.autocast():
            vectors = self.network(self.view(torch.from_numpy(images).to(self.compute.device)))
        return vectors.float().cpu().numpy(), readable


@dataclass(eq=False)
class CheckpointBackbone:
    """Take what a trained video network makes of every frame, before its head.

    stop : as of ``FrameBackbone``; a frame is seen by its neighbours, too, where the network looks at those
    """

    model: Model
    stop: bool = True
    about: Plain = field(init=False)

    def __post_init__(self) -> None:
        system = self.model.system
        if system.spec.kind != "video":
            raise UserError("--backbone: this checkpoint reads features; give one that reads video")
        name = type(system.network).__name__
        self.about = {"backbone": name, "weights": digest(system.state_dict()), "fps": system.spec.fps}

    @property
    def width(self) -> int:
        """Return how many numbers a vector has."""
        return self.model.system.network.width

    def vectors(self, path: Path, fps: Fraction, progress: Progress | None = None) -> Vectors:
        """Return vectors at the network's own rate; clips overlap, and frames of two are averaged."""
        system, half = self.model.system, Half(path.stem, 1)
        source = VideoSource.of_spec(system.spec, files={half: path}, allow_gaps=not self.stop)
        record = HalfRecord(half, source.length(half), None)

        def tokens(batch: Batch) -> Mapping[str, Tensor]:
            ready = system.prepare(batch)
            return {"tokens": system.network(ready["inputs"], ready["phase"], ready["valid"])}

        upsample = system.network.upsample
        ((_, arrays),) = run(tokens, source, [record], system.clips, upsample, self.model.compute, progress=progress)
        missing, own = source.undecodable(half), Fraction(system.spec.fps).limit_denominator(1001)
        if self.stop:
            check_readable(path, ~missing, own)
        arrays["tokens"][missing.repeat(upsample)] = np.nan
        return Vectors(arrays["tokens"], own * upsample, source.duration(half))


def open_backbone(
    name: str,
    weights: str | None = None,
    crop: str = "centre",
    device: str | None = None,
    batch_size: int | None = None,
    stop: bool = True,
    recipe: str | None = None,
) -> Backbone:
    """Return a network of timm by its name, or that of a checkpoint by its path.

    weights, crop, stop : of a network of timm, see ``open_timm``
    device : such as ``cuda:1``; None for a GPU if there is one
    batch_size : frames at once; None for what suits the device
    recipe : of the network of timm, one of ``sn_spotting.RECIPES``

    Raises UserError for what cannot be had.
    """
    where = pick_device(device)
    suits = ON_CPU if where.type == "cpu" else ON_GPU
    at_once = suits if batch_size is None else batch_size
    compute = Compute(where, fast_precision(where), at_once)
    if recipe is not None:
        seen, exact = RECIPES[recipe], Compute(where, "32", at_once)
        return FrameBackbone(name, build_network(name, weights), seen, exact, stop, seen.choose)
    if is_hub(name) or Path(name).exists():
        return CheckpointBackbone(load_model(name, where), stop)
    if name.endswith((".ckpt", ".safetensors")):
        raise UserError(f"--backbone: no file {name!r}")
    return open_timm(name, weights, crop, compute, stop)


def open_timm(name: str, weights: str | None, crop: str, compute: Compute, stop: bool = True) -> FrameBackbone:
    """Return a network of timm with ImageNet or other weights, as ``spotter.models.blocks.backbones.create`` makes it.

    weights : a file; None for those that timm downloads
    stop : raise UserError where a frame cannot be decoded, in place of leaving its vector without numbers
    Raises UserError for an unknown name and for weights that cannot be had or do not fit.
    """
    network = create(name, "none", Frames())
    load_imagenet(network, name, weights)
    config = resolve_data_config({}, model=network)  # type: ignore[no-untyped-call]
    _, height, width = config["input_size"]
    return FrameBackbone(name, network, View((height, width), crop, config["mean"], config["std"]), compute, stop)


def digest(state: Mapping[str, Tensor]) -> str:
    """Return what tells weights from others: the first 16 digits of a SHA-256 of names, shapes and numbers."""
    found = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        found.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()[:16]
