"""Fuse stored raw scores of several runs into one prediction, without running their networks.

SCORES is the folder of a run, of a prediction, or of raw scores; all are of one task, split and set of halves. The
fused logits are the weighted mean at the anchors of the run with the highest rate; the others are interpolated.
Displacements are the mean over the runs that have any, or those of --displacement alone, which need not be among the
fused runs (Soares and Shah, 2022, fuse the confidences of two features and keep the displacements of one). Suppression
is that of the first run. OUT gets what `spotter predict` writes, with fused raw scores, and the weights in fuse.json.
Scores are shown in percent and written as fractions.

  spotter fuse outputs/RUN_A outputs/RUN_B --weights learn --labels /data/SoccerNet -o fused/test

To tune the suppression on the valid scores of the fusion:

  spotter fuse outputs/RUN_A outputs/RUN_B --weights 0.7,0.3 --split valid -o fused/valid
  spotter tune fused/valid/scores --labels /data/SoccerNet --json tuned.json
  spotter fuse outputs/RUN_A outputs/RUN_B --weights 0.7,0.3 --postprocess tuned.json -o fused/test
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
from rich.console import Console
from rich.progress import Progress

from spotter.cli.fuse_ensemble import Ensemble, describe, fusion_table, summarise_fusion
from spotter.cli.options import add_trust
from spotter.cli.out_folder import check_out
from spotter.errors import UsageError, UserError
from spotter.evaluation.metrics import monitored
from spotter.inference.fuse import STEPS, Weights, search
from spotter.inference.runs import check_same_halves, load_run, valid_beside
from spotter.io.formats import format_at, has_labels
from spotter.io.predictions import confirm_zip
from spotter.io.run_folders import find_scores
from spotter.io.scores import load_scores_info
from spotter.io.splits import SPLITS, USER_FILES
from spotter.progress import stderr_console
from spotter.settings import Postprocess
from spotter.trust import import_trusted

LEARN, VALID = "learn", "valid"

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "scores", metavar="SCORES", nargs="+", type=Path, help="folder of a run, a prediction or raw scores"
    )
    parser.add_argument("-o", "--out", metavar="OUT", type=Path, required=True, help="folder of the fused prediction")
    parser.add_argument(
        "--weights",
        metavar="W",
        help="a number for each SCORES, as 0.7,0.3; or learn: the best on the valid split (default: equal weights)",
    )
    parser.add_argument("--labels", metavar="ROOT", help="folder, zip or file of labels (default: $SOCCERNET_ROOT)")
    add_trust(parser)
    parser.add_argument("--split", choices=SPLITS, help="which of a run folder's (default: test, or its only one)")
    parser.add_argument("--displacement", metavar="SCORES", type=Path, help="take displacements from this run alone")
    parser.add_argument(
        "--valid",
        metavar="SCORES",
        nargs="+",
        type=Path,
        help="learn weights on these: valid scores for each SCORES, and for --displacement where that is given "
        "(default: those of the same run)",
    )
    parser.add_argument(
        "--postprocess", metavar="FILE", type=Path, help="take the suppression from this JSON of `spotter tune`"
    )


def run(arguments: argparse.Namespace) -> None:
    """Read, learn the weights if wanted, fuse, score where there are labels, write, and show the table."""
    import_trusted(arguments.trust)
    weights = parse_weights(arguments.weights, len(arguments.scores))
    root = arguments.labels or os.environ.get("SOCCERNET_ROOT")
    if weights is None and not root:
        raise UsageError("learning weights needs labels: give --labels ROOT or set SOCCERNET_ROOT")
    if weights is not None and arguments.valid:
        raise UsageError("--valid is only for learning weights: give --weights learn with it")
    inputs = [*arguments.scores, *([arguments.displacement] if arguments.displacement else [])]
    folders = [find_scores(path, arguments.split) for path in inputs]
    info = load_scores_info(folders[0])
    postprocess = _postprocess(arguments.postprocess, len(info.task.classes)) or info.postprocess
    valid_folders = folders if weights is not None else _valid_folders(arguments.valid, folders, info.split)
    check_out(arguments.out, [*inputs, *folders, *valid_folders], own="fuse.json")
    metrics = {}
    screen = stderr_console()
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        fused = _read(folders, len(arguments.scores), root, progress, for_learning=False)
        if weights is None:
            valid = fused
            if valid_folders is not folders:
                valid = _read(valid_folders, len(arguments.scores), root, progress, for_learning=True)
            weights = _learn(valid, postprocess, progress)
            if valid is not fused:
                metrics[valid.split] = [*valid.metrics(), valid.score(valid.fuse(weights), postprocess)[1]]
        scores = fused.fuse(weights)
        predictions, fused_metrics = fused.score(scores, postprocess)
        if fused.labels is not None:
            metrics[fused.split] = [*fused.metrics(), fused_metrics]
        summary = summarise_fusion(arguments.scores, weights, arguments.displacement, metrics, fused.task)
        fused.write(arguments.out, scores, predictions, fused_metrics, summary)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(fusion_table(arguments.scores, weights, [*fused.postprocesses, postprocess], metrics, fused.task))
    for line in _notes(arguments, fused, postprocess):
        console.print(line, soft_wrap=True, markup=False)
    if fused.split != USER_FILES:
        games = len({half.game for half in predictions})
        console.print(confirm_zip(arguments.out, games), soft_wrap=True, markup=False)


def parse_weights(text: str | None, runs: int) -> Weights | None:
    """Return the given weights divided by their sum, equal ones by default, None where they are to be learned.

    Raises UsageError for a wrong number of weights and for anything that is no weight.
    """
    if text is None:
        return (1 / runs,) * runs
    if text == LEARN:
        if runs == 1:
            raise UsageError("--weights learn: one run has nothing to learn; give several SCORES")
        return None
    try:
        weights = [float(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(f"--weights: expected numbers such as 0.7,0.3, or learn, found {text!r}") from None
    if len(weights) != runs:
        raise UsageError(f"--weights: {len(weights)} for {runs} SCORES: give one for each")
    if not all(weight >= 0 for weight in weights) or not 0 < sum(weights) < math.inf:
        raise UsageError(f"--weights: expected numbers of at least 0 that are not all 0, found {text!r}")
    return tuple(weight / sum(weights) for weight in weights)


def _postprocess(path: Path | None, classes: int) -> Postprocess | None:
    """Return the suppression in a JSON file of `spotter tune`; raises UserError where there is none."""
    if path is None:
        return None
    try:
        return Postprocess.load(orjson.loads(path.read_bytes())["postprocess"], classes)
    except (OSError, ValueError, KeyError, TypeError) as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else "holds no suppression"
        raise UserError(f"{path}: {found}; give the JSON of `spotter tune --json`") from error


def _valid_folders(given: Sequence[Path] | None, folders: Sequence[Path], split: str) -> Sequence[Path]:
    """Return the folders that weights are learned on: given ones, the fused ones, or valid ones of the same runs."""
    if given:
        if len(given) != len(folders):
            raise UsageError(
                f"--valid: {len(given)} for {len(folders)} runs: give one for each SCORES, and for --displacement"
            )
        return [find_scores(path, VALID) for path in given]
    if split == VALID:
        return folders
    return [valid_beside(folder) for folder in folders]


def _read(folders: Sequence[Path], runs: int, root: str | None, progress: Progress, for_learning: bool) -> Ensemble:
    """Read scores, of which those after the first ``runs`` give displacements, and labels, which may be missing.

    for_learning : the scores must be of the valid split and have labels
    """
    read = [load_run(folder) for folder in progress.track(folders, description="reading scores")]
    check_same_halves(read)
    alone = read[runs] if len(read) > runs else None
    if alone is not None and any(scores.displacement is None for scores in alone.halves.values()):
        raise UserError(
            f"{alone.folder}: has no displacements; give --displacement a run of a model that predicts them"
        )
    task, games = read[0].info.task, dict.fromkeys(half.game for half in read[0].halves)
    if for_learning and read[0].info.split != VALID:
        raise UserError(f"{read[0].folder}: of split {read[0].info.split}; weights are learned only on valid")
    if root and not for_learning and not has_labels(root, games, task):
        log.warning("%s: holds no labels of these games, so they are not scored", root)
        root = None
    return Ensemble(read[:runs], alone, format_at(root, task).read(root, games, task) if root else None)


def _learn(valid: Ensemble, postprocess: Postprocess, progress: Progress) -> Weights:
    """Return the weights that score best."""

    def value(weights: Weights) -> float:
        return monitored(valid.score(valid.fuse(weights), postprocess)[1], valid.task.monitor)

    bar, around = progress.add_task("learning weights"), len(valid.runs) * len(STEPS)
    trials = []
    for trial in search(len(valid.runs), value):
        trials.append(trial)
        progress.update(bar, completed=len(trials), total=around * math.ceil(len(trials) / around))
    return max(trials, key=lambda trial: trial[1])[0]


def _notes(arguments: argparse.Namespace, fused: Ensemble, postprocess: Postprocess) -> Iterator[str]:
    """Yield remarks on the result."""
    for run in fused.runs:
        if len(fused.runs) > 1 and run.sparse:
            yield f"{run.folder}: predicts nothing at most anchors, as CALF does, which lowers the fused scores there"
    if arguments.weights == LEARN and fused.split == VALID and not arguments.valid:
        yield "the weights were learned on these games, so their score is too good"
    differ = "" if len(set(fused.postprocesses)) == 1 else "; those of the others differ"
    source = arguments.postprocess or f"the first run{differ}"
    yield f"suppression of the fusion: {describe(postprocess)}, from {source}"
    yield f"predictions: {arguments.out}"
