"""Join predictions of systems that know different classes, as CALF-calibration does: every spot stays as it is.

PREDICTIONS are folders of runs, or folders or zips of results_spotting.json, of the same games. OUT gets the files, the
zip for the challenge server, and, with --labels, the scores.

  spotter join outputs/RUN_A outputs/RUN_B --task soccernet-v2 --labels /data/SoccerNet -o joined
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
from rich.console import Console

from spotter.cli.out_folder import check_out
from spotter.errors import UsageError, UserError
from spotter.evaluation.average_map import average_map
from spotter.evaluation.evaluate import DEFAULT_TASK
from spotter.evaluation.table import metrics_table
from spotter.io.files import atomic_write, json_bytes
from spotter.io.formats import format_at, has_labels
from spotter.io.predictions import confirm_zip, find_predictions, read_predictions, write_scored
from spotter.io.run_folders import describe, find_predictions_of
from spotter.io.splits import SPLITS
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions

log = logging.getLogger(__name__)
SUMMARY = "join.json"  # tells a joined prediction, which may be written over


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("predictions", metavar="PREDICTIONS", nargs="+", type=Path, help="of different classes")
    parser.add_argument("-o", "--out", metavar="OUT", type=Path, required=True, help="folder of the joined prediction")
    parser.add_argument(
        "--task", metavar="NAME|FILE", help=f"of all classes (default: that of the predictions, or {DEFAULT_TASK})"
    )
    parser.add_argument("--labels", metavar="ROOT", help="folder, zip or file of labels (default: $SOCCERNET_ROOT)")
    parser.add_argument("--split", choices=SPLITS, help="which of a run folder's (default: test, or its only one)")


def run(arguments: argparse.Namespace) -> None:
    """Read, check that no class is predicted twice, write, and score where there are labels."""
    sources = [find_predictions_of(path, arguments.split) for path in arguments.predictions]
    check_out(arguments.out, [*arguments.predictions, *sources], own=SUMMARY)
    task = Task.load(arguments.task) if arguments.task else _task(sources)
    games = _common_games(sources)
    joined = join([read_predictions(source, games, task) for source in sources], task)
    if not any(len(spots) for spots in joined.values()):
        raise UserError(f"{sources[0]}: no prediction of it or the others is of task {task.name}: give their --task")
    root = arguments.labels or _find_labels(games, task)
    metrics = None
    if root:
        metrics = {**average_map(format_at(root, task).read(root, games, task), joined, task), "postprocess": {}}
    atomic_write(arguments.out / SUMMARY, json_bytes({"joined": [str(source) for source in sources]}))
    write_scored(arguments.out, joined, task, metrics, arguments.split or describe(sources[0]).split)
    console = Console(width=None if Console().is_terminal else 120)
    if metrics is not None:
        console.print(metrics_table(metrics, str(arguments.out)))
    console.print(confirm_zip(arguments.out, len(games)), soft_wrap=True)


def _task(sources: Sequence[Path]) -> Task:
    """Return the task that the predictions' own files name; the usual one where they are of parts of it."""
    described, usual = [describe(source).task for source in sources], Task.load(DEFAULT_TASK)
    found = [task for task in described if task is not None]
    parts = all(isinstance(task, Task) and _is_part(task, usual) for task in found)
    if parts and (None in described or any(task != found[0] for task in found)):
        return usual
    if isinstance(found[0], Task) and all(task == found[0] for task in found):
        return found[0]
    names = dict.fromkeys(task.name if isinstance(task, Task) else task for task in found)
    raise UsageError(f"--task: the predictions are of {' and '.join(names)}: give the task of all classes")


def _is_part(task: Task, whole: Task) -> bool:
    return task.label_file == whole.label_file and set(task.classes) <= set(whole.classes)


def _common_games(sources: Sequence[Path]) -> list[str]:
    """Return the games of all predictions; raises UserError where one lacks a game of another."""
    games = [find_predictions(source) for source in sources]
    for (one, some), (other, others) in permutations(zip(sources, games, strict=True), 2):
        if lacking := sorted(set(some) - set(others)):
            raise UserError(f"{other}: lacks {lacking[0]}, which {one} has: predict the same games with every system")
    return games[0]


def _find_labels(games: Iterable[str], task: Task) -> str | None:
    """Return the folder of labels that the environment names; say where it has none of these games."""
    root = os.environ.get("SOCCERNET_ROOT")
    if root and not has_labels(root, games, task):
        log.warning("%s: holds no labels of these games, so they are not scored", root)
        return None
    return root


def join(systems: Sequence[Mapping[Half, HalfPredictions]], task: Task) -> dict[Half, HalfPredictions]:
    """Return the spots of all systems by half; raises UserError where two predict the same class."""
    known = [{int(label) for half in system.values() for label in np.unique(half.label)} for system in systems]
    for one, other in combinations(known, 2):
        if one & other:
            raise UserError(f"two of the predictions have {task.classes[min(one & other)]}: fuse them by spotter fuse")
    halves = sorted({half for system in systems for half in system})
    return {half: _joined(half, [system[half] for system in systems if half in system]) for half in halves}


def _joined(half: Half, rows: Sequence[HalfPredictions]) -> HalfPredictions:
    """Return the spots of a half; raises UserError where systems place it differently in its video."""
    periods = [each.period for each in rows if each.period is not None]
    starts = sorted({each.start for each in rows if len(each)})
    if len(starts) > 1:
        raise UserError(
            f"{half.game}, half {half.number} begins at {starts[0]:g} s of its video in one prediction, at "
            f"{starts[1]:g} s in another: predict with the same periods=…"
        )
    return replace(HalfPredictions.joined(rows), period=periods[0] if periods else None)
