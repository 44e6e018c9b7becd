"""Make the feature file of a half, and the JSON file beside it that says how."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spotter
from spotter.data.check import find_broken
from spotter.data.pca import Pca
from spotter.data.sidecars import read_sidecar, write_sidecar
from spotter.errors import UserError
from spotter.extraction.backbones import Backbone, Progress
from spotter.extraction.frames import rows_in
from spotter.extraction.rows import pool_rows
from spotter.io.files import write_array
from spotter.types import Plain

LIBRARIES = ("torch", "timm")


@dataclass(frozen=True, eq=False)
class Extractor:
    """Make rows of features from videos: row i of the frames around i / fps seconds.

    fps : rows per second
    context, pool : see ``pool_rows``
    pca : applied to the rows; None for all columns
    """

    backbone: Backbone
    fps: Fraction
    context: float = 0.0
    pool: str = "mean"
    pca: Pca | None = None

    @property
    def width(self) -> int:
        """Return the columns of the rows."""
        return self.backbone.width if self.pca is None else self.pca.width

    @property
    def about(self) -> Plain:
        """Return what tells features of this extractor from those of others, as plain values."""
        pooled = {"context": self.context, "pool": self.pool} if self.context else {}
        return {**self.backbone.about, **pooled, **({} if self.pca is None else {"pca": self.pca.digest})}

    def rows(self, path: Path) -> NDArray[np.float32]:
        """Return rows (T, width) of a video, T its length times ``fps``, rounded up.

        Raises UserError for a video that cannot be read.
        """
        return self.extract(path)[0]

    def extract(self, path: Path, progress: Progress | None = None) -> tuple[NDArray[np.float32], float]:
        """Return rows as ``rows`` does, and the seconds of the first.

        progress : called with the fraction of the video that is done
        """
        found = self.backbone.vectors(path, self.fps, progress)
        count = rows_in(found.duration, self.fps) if found.rows is None else found.rows
        rows = pool_rows(found.frames, found.rate, self.fps, count, self.context, self.pool)
        return (rows if self.pca is None else self.pca(rows)), found.offset


def is_written(target: Path, dtype: str, **expected: object) -> bool:
    """Return whether a feature file is there already; raises UserError where it was made another way.

    expected : what the JSON file beside it has to say
    """
    if not target.is_file():
        return False
    try:
        stored = np.load(target, mmap_mode="r", allow_pickle=False).dtype
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{target}: no readable array ({error}); delete it, so that it is made again") from error
    made = read_sidecar(target)
    others = [key for key, value in expected.items() if made.get(key) != value]
    others += [] if stored == np.dtype(dtype) else [f"dtype {stored}"]
    if others:
        raise UserError(
            f"{target}: was made another way, by {', '.join(others)}, see {target.stem}.json; give another --name, or "
            "delete it"
        )
    return True


def write_features(
    target: Path, rows: NDArray[np.floating], dtype: str, fps: Fraction, extractor: Plain | None, offset: float = 0.0
) -> int:
    """Write rows and what is known about them, each file whole or not at all; return the rows that are not numbers.

    extractor : ``Extractor.about``; None where it is not known
    offset : seconds of row 0

    Raises UserError for numbers that are too large for ``dtype``.
    """
    with np.errstate(over="ignore"):  # checked below
        stored = rows.astype(dtype)
    finite = ~find_broken(rows)
    if not np.isfinite(stored[finite]).all():
        raise UserError(
            f"{target}: numbers up to {np.abs(rows[finite]).max():.3g} do not fit into {dtype}; take --dtype float32"
        )
    libraries = {name: version(name) for name in LIBRARIES} | {"spotter": spotter.__version__}
    about = {"fps": str(fps), "offset": offset, "width": rows.shape[1], "rows": len(rows), "dtype": dtype}
    about |= {} if extractor is None else {"extractor": extractor}
    missing = int((~finite).sum())
    write_sidecar(target, about | {"not_finite": missing, "versions": libraries})
    write_array(target, stored)
    return missing
