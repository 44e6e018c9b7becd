"""Pictures of a half as the input of a network: whatever they are stored in, each decoded straight into the batch."""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from spotter.data.video.decode import Video, clock
from spotter.data.video.find import STORE, VIDEOS, expected, find_input, find_video
from spotter.data.video.jpegs import Box, JpegFolder
from spotter.data.video.scale import Pictures
from spotter.data.video.store import Store
from spotter.data.video.times import Numbers, exact_fps
from spotter.errors import UserError
from spotter.types import Clip, Half

log = logging.getLogger(__name__)

OPEN = 4  # videos that a process keeps open: a data set has more than it may open at once
REACH = 1.0  # seconds: how far from its time a clip may be shown where nothing in it can be decoded


class VideoSource:
    """Read clips of pictures; frame i of a half is the picture nearest to time i / fps, the first picture at 0.

    fps : frames a second, a number or a fraction such as ``25/12``
    size : height and width of a picture; videos are scaled to it
    crop : height and width of the part that is shown, None for all of it; ``Clip.crop`` says where it lies
    mean, std : what the device normalises the three colours by
    root : the official tree in which files are looked for, if ``files`` does not say where each half is
    """

    kind = "video"
    offset = 0.0

    def __init__(
        self,
        fps: float | str,
        size: Sequence[int] = (224, 398),
        crop: Sequence[int] | None = None,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        root: str | Path | None = None,
        files: Mapping[Half, Path] | None = None,
    ) -> None:
        self._rate = exact_fps(fps, "data.fps")
        self.fps = float(self._rate)
        self.size = _pair(size, "data.size")
        self.crop = None if crop is None else _pair(crop, "data.crop")
        if self.crop and (self.crop[0] > self.size[0] or self.crop[1] > self.size[1]):
            raise UserError(f"data.crop: {list(self.crop)} is larger than the picture, data.size={list(self.size)}")
        self.mean, self.std = _colours(mean, "data.mean"), _colours(std, "data.std")
        self.root = None if root is None else str(Path(root).absolute())
        self._folder, self._files = Path(root or "."), files
        self._readers: dict[Half, Video | Store | JpegFolder] = {}
        self._recent: OrderedDict[Half, Video] = OrderedDict()
        self._told = False

    def missing(self, half: Half) -> list[Path]:
        """Return the file that the half lacks, if it does."""
        if self._path(half) is not None:
            return []
        return [self._files[half] if self._files else self._expected(half)]

    def video(self, half: Half) -> Path | None:
        """Return the half's video file, if there is one beside or instead of a prepared store."""
        if self._files is not None:
            path = self._files.get(half)
            return path if path is not None and path.suffix.lower() in VIDEOS else None
        return find_video(self._folder / half.game, half.number, self.size[0])

    def length(self, half: Half) -> int:
        """Return the half's number of frames."""
        return self._reader(half).times.frames(self._rate)

    def read(
        self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Decode clips into one tensor, zero outside the half.

        Returns the ``inputs`` and ``phase`` of ``spotter.types.Batch``: ``video`` is (B, T, H, W, 3) uint8 RGB.
        Raises UserError for a damaged file, and for a clip of which nothing can be decoded.
        """
        pictures = _memory((len(clips), clip_len, *(self.crop or self.size), 3))
        for clip, out in zip(clips, pictures.numpy(), strict=True):
            half = halves[clip.half]
            begin = max(0, clip.start)
            end = max(begin, min(self.length(half), clip.start + clip_len))
            first, last = min(clip_len, begin - clip.start), max(0, end - clip.start)
            out[:first], out[max(first, last) :] = 0, 0
            if first < last:
                self._fill(half, range(begin, end), self._box(clip), out[first:last])
        return {"video": pictures}, {"video": torch.zeros(len(clips))}

    @property
    def layout(self) -> dict[str, dict[str, Any]]:
        """Return what a network sizes itself by: rate, height and width of what it is shown."""
        height, width = self.crop or self.size
        return {"video": {"fps": self.fps, "height": height, "width": width}}

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a data config states once."""
        return {"fps": self.fps, "size": list(self.size), "crop": None if self.crop is None else list(self.crop)}

    def describe(self) -> dict[str, Any]:
        """Return all that reading the same input elsewhere needs, as plain values."""
        return {"kind": self.kind, "root": self.root, **self.facts, "mean": list(self.mean), "std": list(self.std)}

    def _fill(self, half: Half, frames: range, box: Box, out: Pictures) -> None:
        """Write the pictures of consecutive frames into ``out``, (n, h, w, 3)."""
        reader = self._reader(half)
        numbers = reader.times.nearest(frames, self._rate)
        if not isinstance(reader, Video):
            reader.read(numbers, out, box)
            return
        self._recent[half] = reader
        self._recent.move_to_end(half)
        while len(self._recent) > OPEN:
            self._recent.popitem(last=False)[1].close()
        whole = out if self.crop is None else np.empty((len(out), *self.size, 3), np.uint8)
        _check_decoded(reader, numbers, reader.read(numbers, whole))
        if self.crop is not None:
            out[:] = whole[:, box[0], box[1]]

    def _box(self, clip: Clip) -> Box:
        """Return the rows and columns that a clip shows."""
        (height, width), (rows, columns) = self.size, self.crop or self.size
        left, top = (round((w - c) * at) for w, c, at in zip((width, height), (columns, rows), clip.crop, strict=True))
        return slice(top, top + rows), slice(left, left + columns)

    def _reader(self, half: Half) -> Video | Store | JpegFolder:
        if half not in self._readers:
            path = self._path(half)
            if path is None:
                raise UserError(f"{self._expected(half)}: no such file, nor a prepared store in its place")
            self._readers[half] = self._opened(path)
            self._tell(self._readers[half])
        return self._readers[half]

    def _tell(self, reader: Video | Store | JpegFolder) -> None:
        """Say once that a tree's videos are read as they are."""
        if isinstance(reader, Video) and self._files is None and not self._told:
            self._told = True
            log.info("%s is read as it is, and other videos too, each in full to begin with; for training, "
                     "`spotter prepare video` makes stores that are several times as fast", reader.path)  # fmt: skip

    def _opened(self, path: Path) -> Video | Store | JpegFolder:
        """Open what holds the pictures of a half, checked."""
        if path.suffix != STORE and not path.is_dir():
            return Video(path)
        reader = JpegFolder(path) if path.is_dir() else Store(path)
        if (reader.height, reader.width) != self.size:
            (height, width), found = self.size, f"[{reader.height},{reader.width}]"
            raise UserError(f"{path}: its pictures are {reader.width}x{reader.height}, not {width}x{height}; train on "
                            f"these by data.size={found}, or prepare others: spotter prepare video --height {height} "
                            f"--width {width}")  # fmt: skip
        if reader.times.fps < self._rate:
            raise UserError(f"{path}: has {reader.times.fps} pictures a second, {self._rate} are needed; "
                            f"prepare more: spotter prepare video --fps {self._rate}")  # fmt: skip
        return reader

    def _path(self, half: Half) -> Path | None:
        if self._files is not None:
            path = self._files.get(half)
            return path if path is not None and path.exists() else None
        return find_input(self._folder / half.game, half.number, self.size[0], self._rate)

    def _expected(self, half: Half) -> Path:
        return expected(self._folder / half.game, half.number, self.size[0])


def _memory(shape: tuple[int, ...]) -> Tensor:
    """Return bytes to be written; in a worker they lie where the training process reads them without a copy."""
    if get_worker_info() is None or 0 in shape:
        return torch.from_numpy(np.empty(shape, np.uint8))  # NumPy asks for large pages, which are had sooner
    # As torch's own collate does it.
    shared: torch.UntypedStorage = torch.UntypedStorage._new_shared(math.prod(shape))  # type: ignore[no-untyped-call]
    return torch.empty(0, dtype=torch.uint8).set_(shared).view(shape)


def _check_decoded(video: Video, numbers: Numbers, shown: Numbers) -> None:
    """Raise UserError where no picture of a clip could be decoded, nor one close by."""
    if (shown == numbers).any():
        return
    seconds = video.times.seconds
    far = [abs(seconds(a) - seconds(b)) for a, b in zip(numbers.tolist(), shown.tolist(), strict=True)]
    if min(far) > REACH:
        begin, end = clock(seconds(int(numbers[0]))), clock(seconds(int(numbers[-1])))
        raise UserError(f"{video.path}: nothing from {begin} to {end} can be decoded; fetch the file again, "
                        "or let `spotter prepare video` fill the gap")  # fmt: skip


def _pair(value: Sequence[int], key: str) -> tuple[int, int]:
    """Return a height and a width."""
    listed = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
    if not listed or not all(type(each) is int and each > 0 for each in value):
        raise UserError(f"{key}: expected [height,width] in pixels, found {value!r}")
    return value[0], value[1]


def _colours(value: Sequence[float], key: str) -> tuple[float, float, float]:
    """Return a number for each of red, green and blue."""
    listed = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 3
    if not listed or not all(isinstance(each, int | float) for each in value):
        raise UserError(f"{key}: expected three numbers, for red, green and blue, found {value!r}")
    return float(value[0]), float(value[1]), float(value[2])
