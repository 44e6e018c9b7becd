"""Join predictions of systems that know different classes, as CALF-calibration does: every spot stays as it is.

PREDICTIONS are folders of runs, or folders or zips of results_spotting.json, of the same games. OUT gets the files, the
zip for the challenge server, and, with --labels, the scores.

  spotter join outputs/RUN_A outputs/RUN_B --task soccernet-v2 --labels /data/SoccerNet -o joined
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from rich.console import Console

from spotter.errors import UsageError, UserError
from spotter.evaluation.average_map import average_map
from spotter.evaluation.table import metrics_table
from spotter.io.formats import format_of, has_labels
from spotter.io.predictions import confirm_zip, find_predictions, read_predictions, write_scored
from spotter.io.run_folders import describe, find_predictions_of
from spotter.io.splits import SPLITS
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("predictions", metavar="PREDICTIONS", nargs="+", type=Path, help="of different classes")
    parser.add_argument("-o", "--out", metavar="OUT", type=Path, required=True, help="folder of the joined prediction")
    parser.add_argument("--task", metavar="NAME|FILE", default="soccernet-v2", help="of all classes (%(default)s)")
    parser.add_argument("--labels", metavar="ROOT", help="folder or zip of labels (default: $SOCCERNET_ROOT)")
    parser.add_argument("--split", choices=SPLITS, help="which of a run folder's (default: test, or its only one)")


def run(arguments: argparse.Namespace) -> None:
    """Read, check that no class is predicted twice, write, and score where there are labels."""
    task = Task.load(arguments.task)
    sources = [find_predictions_of(path, arguments.split) for path in arguments.predictions]
    _check_out(arguments.out, sources)
    games = find_predictions(sources[0])
    systems = [read_predictions(source, games, task) for source in sources]
    joined = join(systems, task)
    root = arguments.labels or _find_labels(games, task)
    metrics = None
    if root:
        metrics = {**average_map(format_of(task).read(root, games, task), joined, task), "postprocess": {}}
    write_scored(arguments.out, joined, task, metrics, arguments.split or describe(sources[0]).split)
    console = Console(width=None if Console().is_terminal else 120)
    if metrics is not None:
        console.print(metrics_table(metrics, str(arguments.out)))
    console.print(confirm_zip(arguments.out, len(games)), soft_wrap=True)


def _check_out(out: Path, sources: Sequence[Path]) -> None:
    """Raise UsageError where writing to ``out`` would destroy a run, or what is read."""
    if any((out / name).exists() for name in (".hydra", "checkpoints")):
        raise UsageError(f"--out: {out} holds a run; give another folder")
    for path in sources:
        if out.resolve() in (path.resolve(), path.resolve().parent):
            raise UsageError(f"--out: {out} holds an input, {path}; give another folder")


def _find_labels(games: Iterable[str], task: Task) -> str | None:
    """Return the folder of labels that the environment names, if it has these games."""
    root = os.environ.get("SOCCERNET_ROOT")
    return root if root and has_labels(root, games, task) else None


def join(systems: Sequence[Mapping[Half, HalfPredictions]], task: Task) -> dict[Half, HalfPredictions]:
    """Return the spots of all systems by half; raises UserError where two predict the same class."""
    known = [{int(label) for half in system.values() for label in np.unique(half.label)} for system in systems]
    for one, other in combinations(known, 2):
        if one & other:
            raise UserError(f"two of the predictions have {task.classes[min(one & other)]}: fuse them by spotter fuse")
    return {half: HalfPredictions.joined([system[half] for system in systems]) for half in systems[0]}
