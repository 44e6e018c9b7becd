"""Turn the published pickles of principal components into a plain file that `spotter extract --pca` takes.

PICKLE is pca_512_TF2.pkl of SoccerNet, a PCA of scikit-learn, and --average average_512_TF2.pkl beside it, which was
subtracted before. Pickles can build arrays only; nothing in them is run.

  spotter prepare pca pca_512_TF2.pkl pca512.npz --average average_512_TF2.pkl
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from spotter.errors import UserError
from spotter.extraction.pca import Pca
from spotter.io.pickles import Holder, read_arrays


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("pickle", metavar="PICKLE", type=Path, help="of a PCA of scikit-learn")
    parser.add_argument("out", metavar="OUT", type=Path, help="the .npz file to write")
    parser.add_argument("--average", type=Path, metavar="PICKLE", help="of what was subtracted from rows before")


def run(arguments: argparse.Namespace) -> int:
    """Write the file."""
    held = _read(arguments.pickle)
    state = held.state if isinstance(held, Holder) else held
    if not isinstance(state, dict) or not {"mean_", "components_"} <= set(state):
        raise UserError(f"{arguments.pickle}: holds no PCA of scikit-learn, with mean_ and components_")
    if state.get("whiten"):
        raise UserError(f"{arguments.pickle}: whitens its components, which no published features do")
    mean = np.asarray(state["mean_"], np.float64)
    if arguments.average is not None:
        average = np.asarray(_read(arguments.average), np.float64)
        if average.shape != mean.shape:
            raise UserError(f"{arguments.average}: expected an array of {len(mean)} numbers, found {average.shape}")
        mean = mean + average
    pca = Pca(mean.astype(np.float32), np.asarray(state["components_"], np.float32))
    pca.save(arguments.out)
    sys.stdout.write(f"{arguments.out}: {len(pca.mean)} columns become {pca.width}\n")
    return 0


def _read(path: Path) -> object:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    return read_arrays(path.read_bytes(), str(path))
