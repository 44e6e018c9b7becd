"""Features as other codebases write them: read as one array of rows, whatever lies around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.bounded import load_arrays
from spotter.errors import UserError
from spotter.io.pickles import read_arrays

SUFFIXES = (".npy", ".npz", ".h5", ".hdf5", ".pkl")
KEY = "features"
PICKLED_OFFSET = 2.5  # seconds: row i of the open pipeline shows i to i + 5 s (Soccernet-features, 2022)


@dataclass(frozen=True, eq=False)
class FeatureFile:
    """Hold the rows of a file, (T, D) floats of its own type, and the seconds of row 0 that its format is known for."""

    rows: NDArray[np.floating]
    offset: float = 0.0


def read_features(path: Path, key: str | None = None) -> FeatureFile:
    """Read a file of features: an array (T, D) or (T, 1, D), or a dictionary of arrays, pickled, ``.npz`` or HDF5.

    key : of a dictionary; None for ``features``, or the only array there is

    Raises UserError for what cannot be read, and where it is not clear which array is meant.
    """
    try:
        content, pickled = _content(path)
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
    rows = _choose(content, key, path) if isinstance(content, Mapping) else np.asarray(content)
    if rows.ndim == 3 and rows.shape[1] == 1:
        rows = rows[:, 0]
    if rows.ndim != 2 or not len(rows) or rows.dtype.kind not in "fiu":
        raise UserError(f"{path}: expected numbers (T, D) or (T, 1, D), found {rows.dtype} of shape {rows.shape}")
    return FeatureFile(rows, PICKLED_OFFSET if pickled and isinstance(content, Mapping) else 0.0)


def _content(path: Path) -> tuple[Any, bool]:
    """Return an array or a dictionary of arrays, and whether it was pickled."""
    if path.suffix == ".npz":
        with path.open("rb") as file:
            return load_arrays(file, str(path), "no file of plain arrays"), False
    if path.suffix in (".h5", ".hdf5"):
        return read_hdf5(path), False
    if path.suffix == ".pkl":
        return read_arrays(path.read_bytes(), str(path)), True
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        if not dtype.hasobject:
            return np.load(path, allow_pickle=False), False
        held = read_arrays(file.read(), str(path))
        return (held.item() if isinstance(held, np.ndarray) and shape == () else held), True


def read_hdf5(path: Path) -> dict[str, NDArray]:
    """Return the arrays of an HDF5 file by their paths in it.

    Raises UserError without h5py, and OSError for a damaged file.
    """
    try:
        import h5py  # an extra
    except ImportError as error:
        raise UserError(f"{path}: reading HDF5 needs h5py: pip install h5py") from error
    found: dict[str, NDArray] = {}

    def keep(name: str, data: object) -> None:
        if isinstance(data, h5py.Dataset):
            found[name] = data[()]

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def _choose(content: Mapping[str, Any], key: str | None, path: Path) -> NDArray:
    names = [name for name, value in content.items() if isinstance(value, np.ndarray)]
    chosen = key or (KEY if KEY in names else names[0] if len(names) == 1 else None)
    if chosen not in names:
        raise UserError(f"{path}: holds {', '.join(names) or 'no array'}; say which with --key")
    return np.asarray(content[chosen])
