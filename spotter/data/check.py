"""Look for feature rows that are not finite."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spotter.data.arrays import ArrayRows
from spotter.data.rows import RowReader
from spotter.data.source import Source
from spotter.errors import UserError, plural
from spotter.types import Half

log = logging.getLogger(__name__)
CHUNK = 1024  # rows that are read at once


@dataclass(frozen=True, slots=True)
class BrokenRows:
    """Name a file with rows that are not finite: how many, and the first."""

    file: str
    count: int
    first: int

    def __str__(self) -> str:
        more = f", and {self.count - 1} more of its rows" if self.count > 1 else ""
        return f"{self.file}: row {self.first} is not finite{more}"


def broken_rows(source: Source, half: Half) -> Iterator[BrokenRows]:
    """Yield the files of a half that hold NaN or infinite numbers; all of them is read."""
    found = (_look_through(name, reader) for name, reader in source.rows(half))
    yield from (broken for broken in found if broken is not None)


def check_features(path: Path) -> None:
    """Raise UserError for a feature file that cannot be read, or has rows that are not finite."""
    try:
        rows = np.load(path, mmap_mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path}: not a readable .npy file ({error})") from error
    if rows.ndim < 2 or rows.dtype.kind not in "fiu" or rows.size == 0:
        raise UserError(f"{path}: expected numbers (rows, width), found {rows.dtype} of shape {rows.shape}")
    broken = _look_through(str(path), ArrayRows(rows.reshape(-1, rows.shape[-1])))
    if broken is not None:
        raise UserError(str(broken))


def warn_of_broken(source: Source, halves: Iterable[Half]) -> None:
    """Say how many rows of the halves are not finite, and the first of them; prediction takes them for missing."""
    found = [broken for half in halves for broken in broken_rows(source, half)]
    if found:
        rows = sum(broken.count for broken in found)
        log.warning(
            "%s in %s not finite, to count as missing in prediction, first %s",
            plural(rows, "row"),
            plural(len(found), "file"),
            found[0],
        )


def find_broken(rows: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which of the rows (R, D) hold NaN or infinite numbers, (R,)."""
    return ~np.isfinite(rows).all(axis=1)


def _look_through(name: str, reader: RowReader) -> BrokenRows | None:
    bad = np.concatenate([find_broken(rows) for rows in _chunks(reader)])
    return BrokenRows(name, int(bad.sum()), int(np.argmax(bad))) if bad.any() else None


def _chunks(reader: RowReader) -> Iterator[NDArray[np.floating]]:
    for begin in range(0, len(reader), CHUNK):
        rows = np.empty((min(CHUNK, len(reader) - begin), reader.width), reader.dtype)
        reader.copy(begin, rows)
        yield rows
