"""Rows of features of one half, and how they are read: from a file, from memory, reduced on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import SEEK_END, FileIO
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spotter.data.pca import Pca
from spotter.errors import UserError

SHORTER = "is shorter than it was when the run began"


class RowReader(Protocol):
    """Read the feature rows of one half, from a file or from memory."""

    @property
    def dtype(self) -> np.dtype:
        """Return the type of the numbers."""

    @property
    def width(self) -> int:
        """Return the number of columns."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def copy(self, first: int, out: NDArray[np.floating]) -> None:
        """Copy as many rows as ``out`` has, from ``first`` on."""


def cut_rows(halves: Sequence[RowReader], first: NDArray[np.int64], count: int, width: int) -> NDArray[np.floating]:
    """Copy ``count`` rows of every half from ``first`` (B,) on into (B, count, width), zero outside the half."""
    dtype = np.result_type(*(rows.dtype for rows in halves)) if halves else np.dtype(np.float32)
    out = np.empty((len(halves), count, width), dtype)
    for i, rows in enumerate(halves):
        low = min(max(0, -int(first[i])), count)
        high = min(max(low, len(rows) - int(first[i])), count)
        out[i, :low], out[i, high:] = 0, 0  # zeros for all would be a third of what reading takes
        if low < high:
            rows.copy(int(first[i]) + low, out[i, low:high])
    return out


def rows_between(rows: Tensor, position: Tensor) -> Tensor:
    """Return what stands at fractional rows (B, N) of (B, R, D), linearly; beyond the ends that of the ends."""
    position = position.clamp(0, rows.shape[1] - 1)
    before = position.floor().long()
    after = (before + 1).clamp(max=rows.shape[1] - 1)
    clip = torch.arange(len(rows), device=rows.device)[:, None]
    return rows[clip, before].lerp(rows[clip, after], (position - before)[..., None].to(rows.dtype))


def two_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without the axis of length 1 in (rows, 1, width) or (1, rows, width), any other as it is."""
    if len(shape) == 3 and 1 in shape[:2]:
        return (shape[0], shape[2]) if shape[1] == 1 else shape[1:]
    return shape


@dataclass(frozen=True, slots=True, eq=False)
class FeatureRows:
    """Read rows of one feature file, (rows, read columns).

    The file is mapped into memory only while rows are copied: a map keeps its file open, and a data set has more files
    than a process may have open at once.

    stored : type of the numbers in the file, float16 to float64 of any byte order
    shape : of the file, (rows, width)
    """

    path: Path
    stored: np.dtype
    shape: tuple[int, ...]
    offset: int
    order: Literal["C", "F"]
    columns: slice

    @property
    def dtype(self) -> np.dtype:
        """Return the type of the numbers as they are read: float64 becomes float32."""
        return np.dtype(np.float16 if self.stored.itemsize == 2 else np.float32)

    @property
    def width(self) -> int:
        """Return the number of columns that are read."""
        return len(range(self.shape[1])[self.columns])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[np.floating]:
        with FileIO(self.path) as file:
            if file.seek(0, SEEK_END) < self.offset + math.prod(self.shape) * self.stored.itemsize:
                raise UserError(f"{self.path}: {SHORTER}")
            mapped = mmap(file.fileno(), 0, access=ACCESS_READ)  # np.memmap takes several times as long
        return np.ndarray(self.shape, self.stored, mapped, self.offset, order=self.order)[rows, self.columns]

    def copy(self, first: int, out: NDArray[np.floating]) -> None:
        """Copy as many rows as ``out`` has, from ``first`` on; whole rows are read straight into it."""
        whole = self.order == "C" and self.columns == slice(0, self.shape[1]) and out.dtype == self.stored
        if not whole:
            out[:] = self[first : first + len(out)]
            return
        with FileIO(self.path) as file:
            file.seek(self.offset + first * self.shape[1] * self.stored.itemsize)
            if file.readinto(out.data) != out.nbytes:
                raise UserError(f"{self.path}: {SHORTER}")


@dataclass(frozen=True, slots=True, eq=False)
class ReducedRows:
    """Reduce rows by principal components as they are read."""

    rows: RowReader
    pca: Pca

    @property
    def dtype(self) -> np.dtype:
        """Return the type of the reduced numbers."""
        return np.dtype(np.float32)

    @property
    def width(self) -> int:
        """Return the number of components."""
        return self.pca.width

    def __len__(self) -> int:
        return len(self.rows)

    def copy(self, first: int, out: NDArray[np.floating]) -> None:
        """Copy as many rows as ``out`` has, from ``first`` on, reduced."""
        whole = np.empty((len(out), self.rows.width), self.rows.dtype)
        self.rows.copy(first, whole)
        out[:] = self.pca(whole)
