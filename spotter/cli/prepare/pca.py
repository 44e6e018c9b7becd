"""Make a plain file of principal components, of the published pickles or of features that are there.

SRC is pca_512_TF2.pkl of SoccerNet, a PCA of scikit-learn, and --average average_512_TF2.pkl beside it, which was
subtracted before: pickles can build arrays only, nothing in them is run. Or SRC is a folder of features, and components
are learned from those of the training split. `spotter extract --pca` and, where features are read,
`data.source.streams.<name>.pca` apply the file.

  spotter prepare pca pca_512_TF2.pkl pca512.npz --average average_512_TF2.pkl
  spotter prepare pca /data/SoccerNet pca256.npz --name ResNET_TF2 --components 256
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from spotter.data.pca import Pca
from spotter.errors import UsageError, UserError
from spotter.extraction.pca import fit_pca
from spotter.io.feature_files import read_features
from spotter.io.game_files import check_file_name, game_file
from spotter.io.pickles import Holder, read_arrays
from spotter.io.splits import load_splits
from spotter.tasks import Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("src", metavar="SRC", type=Path, help="pickle of a PCA of scikit-learn, or folder of features")
    parser.add_argument("out", metavar="OUT", type=Path, help="the .npz file to write")
    parser.add_argument("--name", help="of the features: those in <game>/{1,2}_NAME.npy")
    parser.add_argument("--components", type=int, default=512, metavar="K", help="to learn (default: %(default)s)")
    parser.add_argument("--task", default="soccernet-v2", help="whose training split they are learned from")
    parser.add_argument("--average", type=Path, metavar="PICKLE", help="of what was subtracted from rows before")


def run(arguments: argparse.Namespace) -> int:
    """Write the file."""
    pca = _learn(arguments) if arguments.src.is_dir() else _convert(arguments)
    pca.save(arguments.out)
    sys.stdout.write(f"{arguments.out}: {len(pca.mean)} columns become {pca.width}\n")
    return 0


def _learn(arguments: argparse.Namespace) -> Pca:
    if not arguments.name or arguments.components < 1:
        raise UsageError("--name: give that of the features, as ResNET_TF2, and --components from 1 on")
    name, task = check_file_name(arguments.name, "--name"), Task.load(arguments.task)
    games = load_splits(task, arguments.src)["train"]
    files = [game_file(arguments.src, game, f"{number}_{name}.npy") for game in games for number in task.halves]
    found = [path for path in files if path.is_file()]
    if not found:
        raise UserError(f"{arguments.src}: has no features {name} of the training split of {task.name}")
    return fit_pca((read_features(path).rows for path in found), arguments.components)


def _convert(arguments: argparse.Namespace) -> Pca:
    held = _read(arguments.src)
    state = held.state if isinstance(held, Holder) else held
    if not isinstance(state, dict) or not {"mean_", "components_"} <= set(state):
        raise UserError(f"{arguments.src}: holds no PCA of scikit-learn, with mean_ and components_")
    if state.get("whiten"):
        raise UserError(f"{arguments.src}: whitens its components, which no published features do")
    mean = np.asarray(state["mean_"], np.float64)
    if arguments.average is not None:
        average = np.asarray(_read(arguments.average), np.float64)
        if average.shape != mean.shape:
            raise UserError(f"{arguments.average}: expected an array of {len(mean)} numbers, found {average.shape}")
        mean = mean + average
    return Pca(mean.astype(np.float32), np.asarray(state["components_"], np.float32))


def _read(path: Path) -> object:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    return read_arrays(path.read_bytes(), str(path))
