"""Video as the input of a network: files, prepared stores or JPEG folders, decoded straight into the batch."""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import get_worker_info

from spotter.data.fps import parse_fps
from spotter.data.rows import RowReader
from spotter.data.source import ImageSpec, Inputs, InputSpec
from spotter.data.video.decode import Video
from spotter.data.video.find import VIDEOS, expected, find_alone, find_input, find_video
from spotter.data.video.jpegs import Box
from spotter.data.video.readers import ImageReader, check_decoded, open_reader
from spotter.data.video.scale import Images
from spotter.errors import UserError
from spotter.io.exchange.annotations import listed_files
from spotter.types import Clip, Half

log = logging.getLogger(__name__)

OPEN = 4  # videos that a process keeps open; a data set may have more than the system allows to open


class VideoSource:
    """Read clips of images; frame i of a half is the image nearest to time i / fps, the first image at 0.

    fps : frames a second, a number or a fraction such as ``25/12``
    size : height and width of an image; videos are scaled to it
    crop : height and width of the part that is shown, None for all of it; its place is ``Clip.crop``
    mean, std : what the device normalises the three colours by
    grey : read the brightness alone, which is not normalised
    root : the official tree with the files
    files : in place of ``root``, the file of each half
    labels : a file of labels whose paths are relative to ``root``; the video that it names is read where the folder of
        a half's game holds nothing
    allow_gaps : show the nearest image that can be decoded however far away it is, see ``undecodable``
    """

    def __init__(
        self,
        fps: float | str,
        size: Sequence[int] = (224, 398),
        crop: Sequence[int] | None = None,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        grey: bool = False,
        root: str | Path | None = None,
        files: Mapping[Half, Path] | None = None,
        labels: str | Path | None = None,
        allow_gaps: bool = False,
    ) -> None:
        image = ImageSpec.load({"size": size, "crop": crop, "mean": mean, "std": std, "grey": grey})
        self.spec = InputSpec.video(fps, image)
        self._rate = parse_fps(fps, "data.fps")
        self.fps, self.size, self.crop = self.spec.fps, image.size, image.crop
        self._channels = image.channels
        self._folder, self._files = Path(root or "."), files
        self._listed = {} if labels is None else listed_files(labels, self._folder, VIDEOS)
        self._readers: dict[Half, ImageReader] = {}
        self._recent: OrderedDict[Half, Video] = OrderedDict()
        self._described, self._allow_gaps = False, allow_gaps

    @classmethod
    def of_spec(
        cls,
        spec: InputSpec,
        root: str | Path | None = None,
        files: Mapping[Half, Path] | None = None,
        labels: str | Path | None = None,
        allow_gaps: bool = False,
    ) -> VideoSource:
        """Return the source that reads what ``spec`` describes."""
        image = {} if spec.image is None else spec.image.to_dict()
        return cls(spec.fps, **image, root=root, files=files, labels=labels, allow_gaps=allow_gaps)

    def missing(self, half: Half) -> list[Path]:
        """Return the file that the half lacks, if it does."""
        if self._path(half) is not None:
            return []
        return [self._files[half] if self._files else self._expected(half)]

    def rows(self, half: Half) -> Iterable[tuple[str, RowReader]]:
        """Return nothing: images are no feature rows."""
        return ()

    def video(self, half: Half) -> Path | None:
        """Return the half's video file, if there is one beside or instead of a prepared store."""
        if self._files is not None:
            path = self._files.get(half)
            return path if path is not None and path.suffix.lower() in VIDEOS else None
        folder = self._folder / half.game
        found = find_video(folder, half.number, self.size[0]) or find_alone(folder, half.number)
        return found or self._find_listed(half)

    def native_fps(self, half: Half) -> float | None:
        """Return the images per second of the file that the half is read from."""
        return float(self._reader(half).times.fps)

    def duration(self, half: Half) -> Fraction:
        """Return the seconds until the half's last image ends."""
        return self._reader(half).times.duration

    def undecodable(self, half: Half) -> NDArray[np.bool_]:
        """Return for which of the half's frames (T,), as far as this process has read it, another image was shown."""
        reader = self._reader(half)
        replaced = sorted(reader.replaced) if isinstance(reader, Video) else []
        return np.isin(reader.times.nearest(range(self.length(half)), self._rate), replaced)

    def offset(self, half: Half) -> float:
        """Return 0, the time of the first image."""
        return 0.0

    def length(self, half: Half) -> int:
        """Return the half's number of frames."""
        return self._reader(half).times.frames(self._rate)

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Decode clips into one tensor, zero outside the half.

        Returns the ``inputs`` and ``phase`` of ``spotter.types.Batch``: ``video`` is (B, T, H, W, 3) uint8 RGB,
        or (B, T, H, W, 1) where it is grey.
        Raises UserError for a damaged file, and for a clip of which nothing can be decoded.
        """
        images = _memory((len(clips), clip_len, *(self.crop or self.size), self._channels))
        for clip, out in zip(clips, images.numpy(), strict=True):
            half = halves[clip.half]
            begin = max(0, clip.start)
            end = max(begin, min(self.length(half), clip.start + clip_len))
            first, last = min(clip_len, begin - clip.start), max(0, end - clip.start)
            out[:first], out[max(first, last) :] = 0, 0
            if first < last:
                self._fill(half, range(begin, end), self._box(clip), out[first:last])
        return {"video": images}, {"video": torch.zeros(len(clips))}

    def _fill(self, half: Half, frames: range, box: Box, out: Images) -> None:
        """Write the images of consecutive frames into ``out``, (n, h, w, channels)."""
        reader = self._reader(half)
        numbers = reader.times.nearest(frames, self._rate)
        if not isinstance(reader, Video):
            reader.read(numbers, out, box)
            return
        self._recent[half] = reader
        self._recent.move_to_end(half)
        while len(self._recent) > OPEN:
            self._recent.popitem(last=False)[1].close()
        whole = out if self.crop is None else np.empty((len(out), *self.size, self._channels), np.uint8)
        shown = reader.read(numbers, whole)
        if not self._allow_gaps:
            check_decoded(reader, numbers, shown)
        if self.crop is not None:
            out[:] = whole[:, box[0], box[1]]

    def _box(self, clip: Clip) -> Box:
        """Return the rows and columns of the crop of a clip."""
        (height, width), (rows, columns) = self.size, self.crop or self.size
        left, top = (round((w - c) * at) for w, c, at in zip((width, height), (columns, rows), clip.crop, strict=True))
        return slice(top, top + rows), slice(left, left + columns)

    def _reader(self, half: Half) -> ImageReader:
        if half not in self._readers:
            path = self._path(half)
            if path is None:
                raise UserError(f"{self._expected(half)}: no such file, nor a prepared store in its place")
            self._readers[half] = self._open(path)
            self._describe(self._readers[half])
        return self._readers[half]

    def _describe(self, reader: ImageReader) -> None:
        """Log once, of the first video, that it is decoded on the fly and scaled up."""
        if self._described or not isinstance(reader, Video):
            return
        self._described = True
        if self._files is None:
            log.info("%s and other videos are decoded on the fly, after a first pass through each file; for training, "
                     "`spotter prepare video` makes stores that are several times as fast", reader.path)  # fmt: skip
        height, width = reader.size()
        reader.close()
        if height < self.size[0] and width < self.size[1]:
            log.warning("%s: its images of %dx%d are scaled up to the %dx%d that the network reads; "
                        "a larger video shows more", reader.path, width, height, *self.size[::-1])  # fmt: skip

    def _open(self, path: Path) -> ImageReader:
        """Open what holds the images of a half and check its size and rate."""
        reader = open_reader(path)
        if isinstance(reader, Video):
            return reader
        if (reader.height, reader.width) != self.size:
            (height, width), found = self.size, f"[{reader.height},{reader.width}]"
            raise UserError(f"{path}: its images are {reader.width}x{reader.height}, not {width}x{height}; train on "
                            f"these by data.size={found}, or prepare others: spotter prepare video --height {height} "
                            f"--width {width}")  # fmt: skip
        if reader.times.fps < self._rate:
            raise UserError(f"{path}: has {reader.times.fps} images per second, {self._rate} are needed; "
                            f"prepare more: spotter prepare video --fps {self._rate}")  # fmt: skip
        return reader

    def _path(self, half: Half) -> Path | None:
        if self._files is not None:
            path = self._files.get(half)
            return path if path is not None and path.exists() else None
        found = find_input(self._folder / half.game, half.number, self.size[0], self._rate)
        return found or self._find_listed(half)

    def _find_listed(self, half: Half) -> Path | None:
        return next((path for path in self._listed.get(half, []) if path.is_file()), None)

    def _expected(self, half: Half) -> Path:
        return expected(self._folder / half.game, half.number, self.size[0])


def _memory(shape: tuple[int, ...]) -> Tensor:
    """Return memory for a batch; in a worker it is shared with the training process, which then needs no copy."""
    if get_worker_info() is None or 0 in shape:
        return torch.from_numpy(np.empty(shape, np.uint8))  # NumPy asks for large pages, which are faster to get
    # As torch's own collate does it.
    shared: torch.UntypedStorage = torch.UntypedStorage._new_shared(math.prod(shape))  # type: ignore[no-untyped-call]
    return torch.empty(0, dtype=torch.uint8).set_(shared).view(shape)
