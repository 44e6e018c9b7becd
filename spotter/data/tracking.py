"""Positions of players and ball as feature files: how rows are laid out, and how they are written.

A row holds, one entity after the other, ``x, y, present`` and any number of vectors ``x, y``, such as where a player
looks. x runs from -1 to 1 along the pitch, y across it; where nobody saw an entity, ``present`` is 0 and its position
is taken from its neighbours in time, or is 0 where it was never seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.data.sidecars import write_sidecar
from spotter.errors import UserError
from spotter.io.files import write_array
from spotter.io.game_files import game_file_to_write
from spotter.types import Half

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Hold where everything was in one half, at a constant rate.

    position : (T, E, 2) along and across the pitch, from -1 to 1; NaN where unknown
    entities : how many entities each group has, in their order, as ``{"ball": 1, "home": 11, "away": 11}``
    fps, offset : row i lies ``offset + i / fps`` seconds after the kick-off of the half
    vectors : each (T, E, 2), along and across the pitch; NaN where unknown
    """

    position: Floats
    entities: Mapping[str, int]
    fps: Fraction
    offset: float = 0.0
    vectors: Sequence[Floats] = ()

    def rows(self) -> NDArray[np.float32]:
        """Return the rows of the feature file, (T, columns)."""
        present = np.isfinite(self.position).all(axis=-1, keepdims=True)
        filled = fill_gaps(np.where(present, self.position, np.nan))
        parts = [filled, present, *(np.nan_to_num(vector) for vector in self.vectors)]
        return np.concatenate(parts, axis=-1, dtype=np.float32).reshape(len(filled), -1)


def fill_gaps(values: Floats) -> Floats:
    """Return (T, E, 2) with NaN replaced: by interpolation in time, by the nearest at the ends, by 0 without any."""
    columns = values.reshape(len(values), -1)
    index = np.arange(len(columns))
    filled = np.zeros(columns.shape)
    for column, (known, out) in enumerate(zip(np.isfinite(columns).T, filled.T, strict=True)):
        if known.any():
            out[:] = np.interp(index, index[known], columns[known, column])
    return filled.reshape(values.shape)


def resample_times(times: NDArray[np.float64], values: Floats, fps: Fraction, reach: float = 0.25) -> Floats:
    """Return ``values`` (N, …), known at ``times`` (N,) in seconds, at 0, 1 / fps, 2 / fps …, up to the last time.

    times : in any order and at any distances; those before 0 serve for interpolation alone
    reach : how far away the nearest time may lie, else the result is NaN

    Between two times values are interpolated linearly; where one of the two is NaN, the result is. Raises UserError
    where no time is 0 or later.
    """
    if not len(times) or times.max() < 0:
        raise UserError("times: none of them is 0 or later; give those from the start of the half on")
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    at = np.arange(int(np.floor(times[-1] * float(fps) + 1e-6)) + 1) / float(fps)
    after = np.clip(np.searchsorted(times, at), min(1, len(times) - 1), len(times) - 1)
    before = np.maximum(after - 1, 0)
    gap = times[after] - times[before]
    weight = np.clip(np.divide(at - times[before], gap, out=np.zeros(len(at)), where=gap > 0), 0, 1)
    weight = weight.reshape(-1, *[1] * (values.ndim - 1))
    first, second = values[before], values[after]
    mixed = np.where(weight < 1e-3, first, np.where(weight > 1 - 1e-3, second, (1 - weight) * first + weight * second))
    mixed[np.minimum(np.abs(at - times[before]), np.abs(at - times[after])) > reach] = np.nan
    return mixed


def write_track(root: str | Path, half: Half, track: Track, name: str = "tracking", **made: Any) -> Path:
    """Write ``<half>_<name>.npy`` into the half's game folder, and beside it a JSON file that describes it.

    made : further facts for the JSON, such as where the data is from
    """
    rows, path = track.rows(), game_file_to_write(root, half.game, f"{half.number}_{name}.npy")
    about = {
        "fps": str(track.fps),
        "offset": track.offset,
        "width": rows.shape[1],
        "entities": dict(track.entities),
        "columns": ["x", "y", "present", *(f"vector {i}" for i in range(1, len(track.vectors) + 1))],
        **made,
    }
    write_array(path, rows)
    write_sidecar(path, about)
    return path
