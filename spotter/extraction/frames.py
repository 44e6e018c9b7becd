"""All frames of a video in order, each decoded once, at exact times, and how a network of images sees them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from spotter.data.video.decode import Video
from spotter.data.video.readers import ImageReader, open_reader
from spotter.data.video.times import Numbers, Times, clock
from spotter.errors import UserError
from spotter.types import Plain

Size = tuple[int, int]  # height and width in pixels
Choice = Callable[[Times], Numbers]  # the numbers of the images that are taken
AT_ONCE = 1 << 26  # bytes of images
CROPS = ("centre", "whole")


class ImageView(Protocol):
    """Show images to a network."""

    @property
    def about(self) -> Plain:
        """Return what tells it from other ways to show images, as plain values."""

    def covering(self, size: Size) -> Size:
        """Return the height and width at which images of ``size`` are decoded."""

    def __call__(self, images: Tensor) -> Tensor:
        """Turn (N, H, W, 3) uint8 into what the network takes, (N, 3, height, width) floats, on the same device."""


@dataclass(frozen=True, slots=True)
class View:
    """Say what of an image a network sees, and how.

    size : height and width of its input
    crop : ``centre`` for the middle of the image in its own shape, ``whole`` for all of it, squeezed to ``size``
    mean, std : of red, green and blue, of pixels from 0 to 1
    """

    size: Size
    crop: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def about(self) -> Plain:
        """Return size and crop."""
        return {"size": list(self.size), "crop": self.crop}

    def covering(self, size: Size) -> Size:
        """Return the height and width to which images of ``size`` are scaled before they are cut."""
        if self.crop == "whole":
            return self.size
        scale = max(wanted / had for wanted, had in zip(self.size, size, strict=True))
        return max(self.size[0], round(size[0] * scale)), max(self.size[1], round(size[1] * scale))

    def __call__(self, images: Tensor) -> Tensor:
        """Turn (N, H, W, 3) uint8 into what the network takes, (N, 3, height, width) floats, on the same device."""
        x = images.permute(0, 3, 1, 2)
        scaled = self.covering((x.shape[2], x.shape[3]))
        if scaled != tuple(x.shape[2:]):
            x = functional.interpolate(x.float(), scaled, mode="bilinear", antialias=True)
        top, left = ((had - wanted) // 2 for had, wanted in zip(scaled, self.size, strict=True))
        x = x[:, :, top : top + self.size[0], left : left + self.size[1]].float()
        mean, std = (255 * x.new_tensor(each)[:, None, None] for each in (self.mean, self.std))
        return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


class VideoFrames:
    """Read frames of a video, of a prepared store or of a folder of JPEG images: frame i at exactly i / fps seconds.

    choose : says instead which images are the frames
    Raises UserError where the file cannot be read.
    """

    def __init__(self, path: Path, fps: Fraction, view: ImageView, choose: Choice | None = None) -> None:
        self._reader: ImageReader = open_reader(path, threads=0)
        times = self._reader.times
        self.duration = times.duration  # seconds
        self._numbers = choose(times) if choose else times.nearest(range(rows_in(self.duration, fps)), fps)
        self.count = len(self._numbers)
        self.offset = times.seconds(int(self._numbers[0])) if choose and self.count else 0.0  # seconds of frame 0
        size = self._reader.size() if isinstance(self._reader, Video) else (self._reader.height, self._reader.width)
        self._size = view.covering(size) if isinstance(self._reader, Video) else size  # stores are scaled later

    def chunks(self, length: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
        """Yield images (n, H, W, 3), up to ``length`` at a time, and which of them can be decoded, (n,).

        One that cannot shows a neighbour. Large images are fewer at a time, so that they take no more memory.
        """
        length = max(1, min(length, AT_ONCE // (3 * self._size[0] * self._size[1])))
        for first in range(0, self.count, length):
            numbers = self._numbers[first : first + length]
            images = np.empty((len(numbers), *self._size, 3), np.uint8)
            shown = self._reader.read(numbers, images)
            yield images, np.ones(len(numbers), bool) if shown is None else shown == numbers
        if isinstance(self._reader, Video):
            self._reader.close()


def rows_in(duration: Fraction, fps: Fraction) -> int:
    """Return how many rows at ``fps`` begin within so many seconds."""
    return math.ceil(duration * fps)


def check_readable(path: Path, readable: NDArray[np.bool_], fps: Fraction) -> None:
    """Raise UserError that says where a video could not be decoded, for ``readable`` (T,) frames at ``fps``."""
    bad = np.flatnonzero(~readable)
    if len(bad):
        begin, end = (clock(float(number / fps)) for number in (int(bad[0]), int(bad[-1])))
        raise UserError(
            f"{path}: {len(bad)} of {len(readable)} frames cannot be decoded, from {begin} to {end}; fetch the file "
            "again, or take --on-error nan to leave their rows without numbers"
        )
