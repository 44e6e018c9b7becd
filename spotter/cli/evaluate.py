"""Score predictions against labels: the official Average-mAP, tight and loose, and the mAP at 1 to 5 seconds.

LABELS is the root of the games' folders, a zip of it, or a single label file. PREDICTIONS is the same of
results_spotting.json, or the folder of a run. Task and split are what the predictions' own files say, where they do;
without a split every game of LABELS is scored. Every game that is scored must have predictions.

Several PREDICTIONS are compared: games are drawn again and again, the same for all, which gives every score and every
difference to the first an interval. NAME=PATH names one in the tables and in the JSON.

With --task replay-grounding, or where their files say so, PREDICTIONS answer replays (results_grounding.json):
average-AP, tight and loose, of the answered ones as the official evaluator has it, and of all. With --task baa-2026
they are results_anticipation.json, and LABELS is the folder of a split, or of the matches that clips were cut from;
games are clips then.

Tables are in percent, the JSON holds fractions. Beside mAP stand precision, recall and F1: at one threshold for all
classes, at the best for each class, and at thresholds that other games chose, which is what to expect of new games.

  spotter evaluate /data/SoccerNet outputs/RUN
  spotter evaluate /data/SoccerNet outputs/predictions/test --split test
  spotter evaluate labels.zip ours=a/results_spotting.zip theirs=b/results_spotting.zip --json scores.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from spotter.cli.options import add_task, add_trust, parse_count, parse_fraction, parse_named
from spotter.evaluation.bootstrap import RESAMPLES, compare_systems
from spotter.evaluation.evaluate import Evaluation, evaluate, load_evaluation, task_of_answers
from spotter.io.files import atomic_write
from spotter.io.splits import SPLITS
from spotter.progress import stderr_console
from spotter.tasks import REPLAY_GROUNDING, Task
from spotter.trust import import_trusted
from spotter.types import Metrics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("labels", metavar="LABELS", help="folder, zip or file with the labels")
    parser.add_argument("predictions", metavar="PREDICTIONS", nargs="+", help="folders, zips or files of predictions")
    add_task(parser)
    add_trust(parser)
    parser.add_argument("--split", choices=SPLITS, help="score the games of this split (default: see above)")
    parser.add_argument(
        "--threshold", type=parse_fraction, help="of F1, 0 … 1 (default: the best for all classes together)"
    )
    parser.add_argument(
        "--frames", type=parse_count, help="of F1: how far a prediction may lie from its label, metric frames"
    )
    parser.add_argument("--f1", metavar="FILE", help="write precision, recall, F1 and the best thresholds as JSON")
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="write the scores as JSON; of several PREDICTIONS, a mapping from each to its scores",
    )
    parser.add_argument(
        "--resamples",
        metavar="N",
        type=parse_count,
        default=RESAMPLES,
        help="how often games are drawn to compare several PREDICTIONS (default: %(default)s; 0: no intervals)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Read, score, write the JSON if wanted, and show the tables."""
    import_trusted(arguments.trust)
    named = parse_named(arguments.predictions)
    task = None if arguments.task is None else Task.load(arguments.task)
    answered = task or task_of_answers(list(named.values()), arguments.split)
    if answered is not None and answered.metric == REPLAY_GROUNDING:
        scores = {
            name: evaluate(arguments.labels, path, task=task, split=arguments.split) for name, path in named.items()
        }
        write_scores(arguments.json, scores)
        _show_grounding(scores)
        return 0
    evaluation, metrics = compare(arguments.labels, named, task, arguments.split, arguments.resamples)
    shown = arguments.f1 is not None or len(metrics) == 1  # several are compared by mAP alone
    f1 = dict(zip(named, evaluation.f1(arguments.frames, arguments.threshold), strict=True)) if shown else {}
    write_scores(arguments.json, metrics)
    write_scores(arguments.f1, f1)
    show_scores(metrics, f1)
    return 0


def compare(
    labels: str, named: Mapping[str, Path], task: Task | None, split: str | None, resamples: int = RESAMPLES
) -> tuple[Evaluation, dict[str, Metrics]]:
    """Return what was read, and the scores of each system; of several with intervals, see ``compare_systems``."""
    evaluation = load_evaluation(labels, list(named.values()), task=task, split=split)
    metrics: dict[str, Metrics] = dict(zip(named, evaluation.metrics(), strict=True))
    games = len({half.game for half in evaluation.labels})
    if len(metrics) > 1 and games > 1 and resamples:
        predictions = dict(zip(named, evaluation.predictions, strict=True))
        intervals = compare_systems(evaluation.labels, predictions, evaluation.task, resamples, _progress)
        metrics = {name: {**each, "bootstrap": intervals[name]} for name, each in metrics.items()}
    return evaluation, metrics


def write_scores(path: str | None, metrics: Mapping[str, Metrics]) -> None:
    """Write scores as JSON, of several systems by name; nothing without a path."""
    if path is not None:
        content = metrics if len(metrics) > 1 else next(iter(metrics.values()))
        atomic_write(path, orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _progress(tolerances: Sequence[float]) -> Iterable[float]:
    from rich.progress import track

    console = stderr_console()
    return track(tolerances, "resampling", console=console, transient=True, disable=not console.is_terminal)


def show_scores(metrics: Mapping[str, Metrics], f1: Mapping[str, dict[str, dict[str, Any]]]) -> None:
    """Print the tables of one system, or of several side by side."""
    from rich.console import Console

    # Here, for rich would slow down every message.
    from spotter.evaluation.table import comparison_table, f1_table, metrics_table

    console = Console(width=None if sys.stdout.isatty() else 120)
    if len(metrics) > 1:
        console.print(comparison_table(metrics))
        return
    ((name, each),) = metrics.items()
    console.print(metrics_table(each, name), f1_table(f1[name]), sep="\n")


def _show_grounding(scores: dict[str, Metrics]) -> None:
    from rich.console import Console

    from spotter.evaluation.table import grounding_table

    Console(width=None if sys.stdout.isatty() else 120).print(grounding_table(scores))
