"""Features of fewer columns by principal components, which are kept in a plain file of arrays."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spotter.bounded import load_arrays
from spotter.errors import UserError
from spotter.io.files import atomic_write

Floats = NDArray[np.float32]
REMEDY = "no .npz file with the arrays mean and components; `spotter prepare pca` makes one of SoccerNet's pickles"


@dataclass(frozen=True, eq=False)
class Pca:
    """Reduce rows (N, D) to (N, K): ``(rows - mean) @ components.T``, without whitening.

    mean : (D,)
    components : (K, D)
    learned_on : what made the rows that they were learned on, as a text; empty where it is not known
    """

    mean: Floats
    components: Floats
    learned_on: str = ""

    def __call__(self, rows: NDArray[np.floating]) -> Floats:
        """Return the reduced rows; raises UserError for rows of another width."""
        if rows.shape[1] != len(self.mean):
            raise UserError(f"pca: was learned on rows of {len(self.mean)} columns, and these have {rows.shape[1]}")
        return np.matmul(rows.astype(np.float32) - self.mean, self.components.T, dtype=np.float32)

    @property
    def width(self) -> int:
        """Return the number of components."""
        return len(self.components)

    @property
    def digest(self) -> str:
        """Return what tells it from others."""
        return hashlib.sha256(self.mean.tobytes() + self.components.tobytes()).hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write a ``.npz`` file of plain arrays."""
        content = io.BytesIO()
        np.savez(content, mean=self.mean, components=self.components, learned_on=np.array(self.learned_on))
        atomic_write(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> Pca:
        """Read what ``save`` wrote; raises UserError for anything else."""
        return cls.parse(read_components(path), str(path))

    @classmethod
    def parse(cls, content: bytes, name: str) -> Pca:
        """Read the content of such a file; raises UserError naming it for anything else."""
        arrays = load_arrays(io.BytesIO(content), name, REMEDY)
        if not {"mean", "components"} <= set(arrays):
            raise UserError(f"{name}: {REMEDY}")
        mean, components = (np.asarray(arrays[key], np.float32) for key in ("mean", "components"))
        if mean.ndim != 1 or components.ndim != 2 or components.shape[1] != len(mean):
            raise UserError(f"{name}: expected mean (D,) and components (K, D), found {mean.shape}, {components.shape}")
        return cls(mean, components, str(arrays.get("learned_on", "")))


def read_components(path: Path) -> bytes:
    """Return the content of a file of principal components, which nobody has looked at yet."""
    if not path.is_file():
        raise UserError(f"pca: no file {str(path)!r}")
    return path.read_bytes()
