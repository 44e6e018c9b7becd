"""Score predictions against labels: the official Average-mAP, tight and loose, and the mAP at 1 to 5 seconds.

LABELS and PREDICTIONS are folders or zips that hold <league>/<season>/<game>/ with the task's label file and
results_spotting.json. Every game that is scored must have predictions.

  spotter evaluate /data/SoccerNet outputs/predictions/test --split test
  spotter evaluate labels.zip a/results_spotting.zip b/results_spotting.zip --json scores.json
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import orjson

from spotter.data.splits import SPLITS, load_splits
from spotter.errors import UserError
from spotter.evaluation.average_map import average_map
from spotter.evaluation.files import find_games, read_labels, read_predictions
from spotter.evaluation.write import PREDICTION_ZIP
from spotter.files import atomic_write
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


def run(arguments: argparse.Namespace) -> int:
    """Read, score, write the JSON if asked for, and show the tables."""
    task = Task.load(arguments.task)
    games = _games(arguments.labels, arguments.split, task)
    labels = read_labels(arguments.labels, games, task)
    forms = {}
    for root in arguments.predictions:
        scores = average_map(labels, read_predictions(root, games, task), task)
        forms[root] = {**scores, "postprocess": _postprocess(Path(root))}
    if arguments.json is not None:
        content = forms if len(arguments.predictions) > 1 else forms[arguments.predictions[0]]
        atomic_write(arguments.json, orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    _show(forms)
    return 0


def _games(labels: str, split: str | None, task: Task) -> list[str]:
    if split is None:
        games = find_games(labels, task.label_file)
        if not games:
            raise UserError(f"{labels}: holds no {task.label_file}: give the labels of task {task.name}, or --task")
        return games
    games = load_splits(task, labels)[split]
    if not games:
        raise UserError(f"split {split} of task {task.name} lists no game: leave --split out to score every game")
    return games


def _postprocess(root: Path) -> dict[str, Any]:
    """Return how the predictions were suppressed, where a ``metrics.json`` that belongs to them says so."""
    if root.name == PREDICTION_ZIP:
        root = root.parent
    try:
        metrics = orjson.loads((root / "metrics.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    found = metrics.get("postprocess") if isinstance(metrics, dict) else None
    return found if isinstance(found, dict) else {}


def _show(forms: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console

    from spotter.evaluation.table import form_table, summary_table  # here, for rich would slow down every message

    if len(forms) > 1:
        Console().print(summary_table(forms))
        return
    for title, form in forms.items():
        Console().print(form_table(form, title))
