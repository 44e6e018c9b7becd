"""Precomputed features as the input of a network: one or several streams, memory-mapped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spotter.data.streams import Rows, Stream
from spotter.data.video.find import find_video
from spotter.errors import UserError
from spotter.types import Clip, Half


class FeatureSource:
    """Read clips of features; the first stream is the clock whose rows are the frames.

    Files are mapped whenever a clip is read, in whichever process needs it, and only the clip's rows are copied.
    They lie in the official tree below ``root``, or where ``files`` says: a path per half and stream.
    """

    kind = "features"

    def __init__(
        self,
        streams: Mapping[str, Mapping[str, Any]],
        root: str | Path | None = None,
        files: Mapping[Half, Mapping[str, Path]] | None = None,
    ) -> None:
        if not streams:
            raise UserError("data.streams: expected at least one feature stream")
        self.streams = [Stream.load(name, content) for name, content in streams.items()]
        self.fps = self.streams[0].fps
        self.offset = self.streams[0].offset
        self.root = None if root is None else str(Path(root).absolute())
        self._root, self._files = root or ".", files
        self._open: dict[tuple[str, Half], Rows] = {}

    def missing(self, half: Half) -> list[Path]:
        """Return the files that the half lacks."""
        paths = [self._path(stream, half) for stream in self.streams]
        return [path for path in paths if not path.is_file()]

    def video(self, half: Half) -> Path | None:
        """Return the video beside the half's features, if there is one."""
        return None if self._files is not None else find_video(Path(self._root) / half.game, half.number, height=224)

    def length(self, half: Half) -> int:
        """Return the half's number of frames; where streams end at different times, the first end counts."""
        ends = [stream.offset + len(self._rows(stream, half)) / stream.fps for stream in self.streams]
        return max(1, math.floor((min(ends) - self.offset) * self.fps + 1e-6))

    def read(
        self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Copy clips into one tensor per stream, zero outside the half.

        Returns the ``inputs`` and ``phase`` of ``spotter.types.Batch``. A stream of another rate or offset than the
        clock's starts at its last row before the clip, the phase says how far before, and it ends after the clip.
        """
        inputs, phases = {}, {}
        for stream in self.streams:
            starts = np.array([clip.start for clip in clips], dtype=float)
            position = (starts / self.fps + self.offset - stream.offset) * stream.fps
            first = np.floor(position + 1e-6).astype(np.int64)
            rows = clip_len
            if stream.fps != self.fps or stream.offset != self.offset:
                rows = math.ceil(clip_len * stream.fps / self.fps - 1e-6) + 2
            files = [self._rows(stream, halves[clip.half]) for clip in clips]
            inputs[stream.name] = torch.from_numpy(_cut(files, first, rows, sum(stream.read_groups)))
            phases[stream.name] = torch.from_numpy((position - first).astype(np.float32))
        return inputs, phases

    @property
    def layout(self) -> dict[str, dict[str, Any]]:
        """Return what a network sizes itself by: rate, offset from the clock and group widths of each stream."""
        return {
            stream.name: {"fps": stream.fps, "clock_fps": self.fps, "groups": stream.read_groups}
            for stream in self.streams
        }

    @property
    def facts(self) -> dict[str, Any]:
        """Return what the first stream says of itself."""
        return self.streams[0].to_dict()

    def describe(self) -> dict[str, Any]:
        """Return all that reading the same input elsewhere needs, as plain values."""
        streams = {stream.name: stream.to_dict() for stream in self.streams}
        return {"kind": self.kind, "root": self.root, "streams": streams}

    def _rows(self, stream: Stream, half: Half) -> Rows:
        key = (stream.name, half)
        if key not in self._open:
            self._open[key] = stream.open(self._path(stream, half))
        return self._open[key]

    def _path(self, stream: Stream, half: Half) -> Path:
        return stream.path(self._root, half) if self._files is None else self._files[half][stream.name]


def _cut(files: Sequence[Rows], first: NDArray[np.int64], rows: int, width: int) -> NDArray:
    """Copy ``rows`` rows of every file from ``first`` on into (B, rows, width), zero outside the file."""
    dtype = np.result_type(*(file.dtype for file in files)) if files else np.dtype(np.float32)
    out = np.zeros((len(files), rows, width), dtype)
    for i, file in enumerate(files):
        begin, end = max(0, int(first[i])), min(len(file), int(first[i]) + rows)
        if begin < end:
            file.copy(begin, out[i, begin - first[i] : end - first[i]])
    return out
