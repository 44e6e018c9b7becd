"""Score predictions against labels: the official Average-mAP, tight and loose, and the mAP at 1 to 5 seconds.

LABELS and PREDICTIONS are folders or zips that hold <league>/<season>/<game>/ with the task's label file and
results_spotting.json. Every game that is scored must have predictions. Several PREDICTIONS are compared: games are
drawn again and again, the same for all, which gives every score and every difference to the first an interval.

  spotter evaluate /data/SoccerNet outputs/predictions/test --split test
  spotter evaluate labels.zip a/results_spotting.zip b/results_spotting.zip --json scores.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from spotter.errors import UserError
from spotter.evaluation.average_map import average_map
from spotter.evaluation.bootstrap import RESAMPLES, compare
from spotter.io.files import atomic_write
from spotter.io.formats import format_of
from spotter.io.predictions import postprocess_of, read_predictions
from spotter.io.splits import SPLITS, load_splits
from spotter.tasks import Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``spotter evaluate`` takes."""
    parser.add_argument("labels", metavar="LABELS", help="folder or zip with the label files")
    parser.add_argument("predictions", metavar="PREDICTIONS", nargs="+", help="folders or zips with predictions")
    parser.add_argument(
        "--task", default="soccernet-v2", help="soccernet-v2 (default), ball-2023, or the YAML file of your own task"
    )
    parser.add_argument("--split", choices=SPLITS, help="score the games of this split; default: every game of LABELS")
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="write the scores as JSON; of several PREDICTIONS, a mapping from each to its scores",
    )
    parser.add_argument(
        "--resamples",
        metavar="N",
        type=_count,
        default=RESAMPLES,
        help="how often games are drawn to compare several PREDICTIONS (default: %(default)s; 0: no intervals)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Read, score, write the JSON if asked for, and show the tables."""
    task = Task.load(arguments.task)
    games = _games(arguments.labels, arguments.split, task)
    labels = format_of(task).read(arguments.labels, games, task)
    forms: dict[str, dict[str, Any]] = {}
    predictions = {root: read_predictions(root, games, task) for root in arguments.predictions}
    for root, rows in predictions.items():
        forms[root] = {**average_map(labels, rows, task), "postprocess": postprocess_of(root)}
    if len(forms) > 1 and len(games) > 1 and arguments.resamples:
        for root, drawn in compare(labels, predictions, task, arguments.resamples, _progress).items():
            forms[root]["bootstrap"] = drawn
    if arguments.json is not None:
        content = forms if len(arguments.predictions) > 1 else forms[arguments.predictions[0]]
        atomic_write(arguments.json, orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    _show(forms)
    return 0


def _games(labels: str, split: str | None, task: Task) -> list[str]:
    if split is None:
        games = format_of(task).games(labels, task)
        if not games:
            raise UserError(f"{labels}: holds no {task.label_file}: give the labels of task {task.name}, or --task")
        return games
    games = load_splits(task, labels)[split]
    if not games:
        raise UserError(f"split {split} of task {task.name} lists no game: leave --split out to score every game")
    return games


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, found {text!r}")
    return int(text)


def _progress(tolerances: Sequence[float]) -> Iterable[float]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(tolerances, "resampling", console=console, transient=True, disable=not console.is_terminal)


def _show(forms: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console

    from spotter.evaluation.table import form_table, summary_table  # here, for rich would slow down every message

    console = Console(width=None if sys.stdout.isatty() else 120)
    if len(forms) > 1:
        console.print(summary_table(forms))
        return
    for title, form in forms.items():
        console.print(form_table(form, title))
