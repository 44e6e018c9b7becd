"""Draw what features see of a video: python -m tests.similarity OUT.png FEATURES.npy [FEATURES.npy …]

For each file, which moments look alike to it, by the cosine between rows less the mean of all. The picture of
docs/extract.md is made so, as that page says.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot
from numpy.typing import NDArray
from PIL import Image

from spotter.data.sidecars import read_sidecar

COLOURS = 64  # of the picture, which so may be kept with the source


def similarity(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (T, T) cosines between rows (T, D), their mean subtracted."""
    centred = rows.astype(np.float32) - rows.mean(0, dtype=np.float32)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-6)
    return unit @ unit.T


def main(out: Path, *features: Path) -> None:
    """Draw the similarity of every file side by side."""
    mpl.use("Agg")
    figure, (every,) = pyplot.subplots(
        1, len(features), figsize=(4.4 * len(features), 4.2), layout="constrained", squeeze=False
    )
    for axes, path in zip(every, features, strict=True):
        rows = np.load(path, allow_pickle=False)
        seconds = len(rows) / float(read_sidecar(path)["fps"])
        drawn = axes.imshow(similarity(rows), "magma", vmin=-0.4, vmax=1, extent=(0, seconds, seconds, 0))
        axes.set(title=path.stem.partition("_")[2], xlabel="seconds")
    every[0].set_ylabel("seconds")
    figure.colorbar(drawn, ax=every, label="cosine", shrink=0.8)
    figure.savefig(out, dpi=100)
    Image.open(out).convert("RGB").quantize(COLOURS).save(out, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
