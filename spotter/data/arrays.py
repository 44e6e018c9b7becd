"""Features in memory as the input of a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from spotter.data.fps import parse_fps
from spotter.data.rows import RowReader, cut_rows, two_axes
from spotter.data.source import Inputs, InputSpec
from spotter.errors import UserError
from spotter.types import Clip, Half


@dataclass(frozen=True, slots=True, eq=False)
class ArrayRows:
    """Give rows of an array."""

    array: NDArray[np.floating]

    @property
    def dtype(self) -> np.dtype:
        """Return the type of the numbers."""
        return self.array.dtype

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return self.array.shape[1]

    def __len__(self) -> int:
        return len(self.array)

    def copy(self, first: int, out: NDArray[np.floating]) -> None:
        """Copy as many rows as ``out`` has, from ``first`` on."""
        out[:] = self.array[first : first + len(out)]


class ArraySource:
    """Read clips of feature arrays (T, D), one per half, for a network of one feature stream.

    arrays : one array, or one for each half, of numbers; float16 and float32 are not converted
    fps : rows per second, a number or a fraction; must be the rate that ``spec`` has
    spec : what the network reads; D is the width of its files, or of the columns that are read of them
    game : name of the game whose halves 1, 2, … the arrays are

    Raises UserError where the arrays are not what the network reads.
    """

    def __init__(
        self, arrays: ArrayLike | Sequence[ArrayLike], fps: float | str, spec: InputSpec, game: str = "features"
    ) -> None:
        if spec.kind != "features" or len(spec.streams) != 1:
            reads = "video" if spec.kind == "video" else f"{len(spec.streams)} feature streams"
            raise UserError(f"features: this model reads {reads}, not one array; give files")
        if parse_fps(fps) != parse_fps(spec.fps):
            raise UserError(f"fps: {fps} rows per second were given, and this model reads {parse_fps(spec.fps)}")
        self.spec, self.fps = spec, spec.fps
        listed = [arrays] if isinstance(arrays, np.ndarray) else list(arrays)  # type: ignore[arg-type]
        self._rows = {Half(game, i): self._check(each, f"half {i}") for i, each in enumerate(listed, start=1)}
        self.halves = list(self._rows)

    def missing(self, half: Half) -> list[Path]:
        """Return no files, for nothing lies on disk."""
        return []

    def offset(self, half: Half) -> float:
        """Return the seconds of the first row."""
        return self.spec.offset

    def length(self, half: Half) -> int:
        """Return the half's number of rows."""
        return len(self._rows[half])

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Copy clips into one tensor, zero outside the half; see ``FeatureSource.read``."""
        (stream,) = self.spec.streams
        rows = [ArrayRows(self._rows[halves[clip.half]]) for clip in clips]
        first = np.array([clip.start for clip in clips], dtype=np.int64)
        out = cut_rows(rows, first, clip_len, sum(stream.read_groups))
        inputs = {stream.name: torch.from_numpy(out)}, {stream.name: torch.zeros(len(clips))}
        return self.spec.add_match_clock(inputs, halves, clips, clip_len)

    def rows(self, half: Half) -> Iterator[tuple[str, RowReader]]:
        """Yield the half's array, by its name."""
        yield f"features: half {half.number}", ArrayRows(self._rows[half])

    def video(self, half: Half) -> Path | None:
        """Return None: no video belongs to an array."""
        return None

    def native_fps(self, half: Half) -> float | None:
        """Return the rate that was given."""
        return self.fps

    def _check(self, array: ArrayLike, name: str) -> NDArray[np.floating]:
        (stream,) = self.spec.streams
        rows = np.asarray(array)
        rows = rows.reshape(two_axes(rows.shape))
        if rows.ndim != 2 or len(rows) == 0 or rows.dtype.kind not in "fiu":
            raise UserError(f"features: expected numbers (T, D) for {name}, found {rows.dtype} of shape {rows.shape}")
        rows = rows.astype(
            np.float16 if rows.dtype.kind == "f" and rows.dtype.itemsize == 2 else np.float32, copy=False
        )
        if stream.columns is not None and rows.shape[1] == stream.width:
            rows = rows[:, slice(*stream.columns)]
        elif rows.shape[1] == stream.width and (pca := stream.components()) is not None:
            rows = pca(rows)
        width = sum(stream.read_groups)
        if rows.shape[1] != width:
            raise UserError(f"features: {name} has {rows.shape[1]} columns, and this model reads {width}")
        return rows
