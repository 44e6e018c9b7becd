"""Tune suppression on stored raw scores of a labelled split, without running the network.

SCORES is the folder of a run, of the predictions of a split, or of their raw scores. All methods are tried with many
windows, then the best of each with higher thresholds. What is printed last can be pasted after `spotter predict …` or
`spotter train …`. Tune on the validation split, never on the test split. Scores are shown in percent and written as
fractions.

  spotter tune outputs/RUN --labels /data/SoccerNet --json tuned.json
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from spotter.cli.options import add_trust
from spotter.errors import UsageError, plural
from spotter.evaluation.average_map import average_map
from spotter.evaluation.evaluate import check_spots_of_matches
from spotter.evaluation.metrics import monitored, monitored_classes
from spotter.inference.allocator import keep_freed_memory
from spotter.inference.decode import apply_displacement, round_confidence
from spotter.inference.tune import Trial, Tuner, best
from spotter.io.files import atomic_write
from spotter.io.formats import format_at
from spotter.io.run_folders import find_scores
from spotter.io.scores import ScoresInfo, check_whole, load_scores, load_scores_info
from spotter.io.splits import SPLITS
from spotter.progress import ProgressDisplay, stderr_console, visible_log
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.trust import import_trusted
from spotter.types import Half, HalfPredictions, Metrics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("scores", metavar="SCORES", type=Path, help="folder of a run, a prediction or raw scores")
    parser.add_argument("--split", choices=SPLITS, default="valid", help="which of a run folder's (default: valid)")
    parser.add_argument("--labels", metavar="ROOT", help="folder, zip or file of labels (default: $SOCCERNET_ROOT)")
    add_trust(parser)
    parser.add_argument("--per-class", action="store_true", help="then a window for each class; this can overfit")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the winner and all trials to FILE")


def run(arguments: argparse.Namespace) -> None:
    """Tune, print the table and the winning override, and write the JSON if wanted."""
    import_trusted(arguments.trust)
    keep_freed_memory()
    root = arguments.labels or os.environ.get("SOCCERNET_ROOT")
    if not root:
        raise UsageError("tuning needs labels: give --labels ROOT or set SOCCERNET_ROOT")
    folder = find_scores(arguments.scores, arguments.split)
    info = load_scores_info(folder)
    check_spots_of_matches(info.task)
    with Progress(console=stderr_console(), transient=True) as progress:
        tuner = _tuner(folder, root, info, progress)
        search = tuner.search(
            info.postprocess,
            _value(info.task.monitor),
            _class_values(info.task) if arguments.per_class else None,
        )
    trials = _run(search, tuner.trials(arguments.per_class))
    winners = {name: best(trials, _value(name)) for name in dict.fromkeys((info.task.monitor, "loose_map"))}
    if arguments.json:
        content = orjson.dumps(_report(trials, winners), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        atomic_write(arguments.json, content)
    _show(
        trials,
        winners,
        title=f"{info.split} of {info.task.name}, {plural(len(tuner.candidates), 'half')}, mAP in %",
    )


def _run(search: Iterator[Trial], total: int) -> list[Trial]:
    """Return the trials, showing how many are done."""
    trials = []
    with visible_log(), ProgressDisplay(total, "trials") as shown:
        for trial in search:
            trials.append(trial)
            shown.update(len(trials) / total)
    return trials


def _tuner(folder: Path, root: str, info: ScoresInfo, progress: Progress) -> Tuner:
    """Read scores and labels."""
    bar = progress.add_task("reading scores", total=None)
    candidates = {}
    for half, scores in load_scores(folder):
        candidates[half] = apply_displacement(scores)
        progress.advance(bar)
    progress.update(bar, total=len(candidates))
    check_whole(folder, info, candidates)
    labels = format_at(root, info.task).read(root, dict.fromkeys(half.game for half in candidates), info.task)
    labelled = tuple(half for half, spots in labels.items() if len(spots))
    check_whole(folder, replace(info, halves=labelled), candidates)

    def evaluate(predictions: Mapping[Half, HalfPredictions]) -> Metrics:
        if info.task.tolerances:  # which rank all halves together: rounding, as files are, may make ranks equal there
            predictions = {half: round_confidence(spots) for half, spots in predictions.items()}
        return average_map(labels, predictions, info.task)

    return Tuner(candidates, info.task.fps, evaluate, info.task.sides)


def _value(monitor: str) -> Callable[[Trial], float]:
    return lambda trial: monitored(trial.metrics, monitor)


def _class_values(task: Task) -> Callable[[Trial], list[float]]:
    def values(trial: Trial) -> list[float]:
        classes = monitored_classes(trial.metrics, task.monitor)
        return [classes[name] or 0.0 for name in task.classes]

    return values


def _show(trials: list[Trial], winners: dict[str, Trial], title: str) -> None:
    """Print all trials, in percent, and the override of each winner."""
    console = Console(highlight=False)
    names = list(dict.fromkeys(("tight_map", "loose_map", *winners)))
    table = Table("method", *(Column(name, justify="right") for name in ("window", "threshold", *names)))
    table.title, table.box = title, SIMPLE_HEAD
    for trial in trials:
        window = trial.postprocess.window
        text = "per class" if isinstance(window, tuple) else f"{window:g} s"
        cells = [f"{100 * monitored(trial.metrics, name):.2f}" for name in names]
        style = "bold green" if trial in winners.values() else None
        table.add_row(trial.postprocess.method, text, f"{trial.postprocess.threshold:g}", *cells, style=style)
    console.print(table)
    for name, trial in winners.items():
        line = f"best {name} ({100 * monitored(trial.metrics, name):.2f}): {_override(trial.postprocess)}"
        console.print(line, soft_wrap=True, markup=False)


def _override(postprocess: Postprocess) -> str:
    """Return the words that give a suppression on a command line, quoted for a shell."""
    plain = postprocess.to_dict()
    window = str(plain["window"]).replace(" ", "")
    words = [f"postprocess={plain['method']}", f"postprocess.window={window}"]
    words += [f"postprocess.threshold={plain['threshold']}", f"postprocess.smooth={postprocess.smooth}"]
    return shlex.join(words)


def _report(trials: list[Trial], winners: dict[str, Trial]) -> dict[str, Any]:
    """Return what ``--json`` writes: the winner, the monitor it wins, the best of each monitor, and all trials."""
    names = list(dict.fromkeys(("tight_map", "loose_map", *winners)))

    def row(trial: Trial) -> dict[str, Any]:
        return trial.postprocess.to_dict() | {name: monitored(trial.metrics, name) for name in names}

    monitor, winner = next(iter(winners.items()))
    return {
        "postprocess": winner.postprocess.to_dict(),
        "monitor": monitor,
        "best": {name: row(trial) for name, trial in winners.items()},
        "trials": [row(trial) for trial in trials],
    }
