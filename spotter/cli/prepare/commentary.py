"""Make features of what commentators say: {half}_commentary.npy for every game of an official tree.

TRANSCRIPTS is a folder of SoccerNet-Echoes (<league>/<season>/<game>/1_asr.json), the same with Whisper's own JSON, SRT
or VTT, or a file of lines (.jsonl, .jsonl.xz). ROOT is the tree: features go beside its labels. A text model is fitted
on the training split alone, and kept in ROOT: 256 topic components of words and pairs of words, four numbers on speech,
and, where the labels of the training split are there, evidence for each class at seven lags, cross-fitted over the
training games. Halves without a transcript get zeros.

  spotter prepare commentary echoes/Dataset/whisper_v1_en /data/SoccerNet
  spotter train data=commentary data.root=/data/SoccerNet
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from spotter.cli.options import check_positive
from spotter.data.commentary.rows import count_rows
from spotter.data.commentary.text_model import TEXT_MODEL
from spotter.data.commentary.words import is_english, repeated
from spotter.data.fps import parse_fps
from spotter.data.sidecars import write_sidecar
from spotter.errors import UsageError, UserError, plural
from spotter.io.files import atomic_write, write_array
from spotter.io.formats import format_of
from spotter.io.game_files import game_file
from spotter.io.splits import load_splits
from spotter.io.transcripts.segments import Transcript
from spotter.io.transcripts.trees import read_transcripts
from spotter.tasks import Task
from spotter.types import Half

if TYPE_CHECKING:
    from spotter.data.commentary.fit import FittedText

log = logging.getLogger(__name__)
NONE = Transcript.of(())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("transcripts", metavar="TRANSCRIPTS", type=Path, help="folder, or .jsonl, .jsonl.xz file")
    parser.add_argument("root", metavar="ROOT", type=Path, help="official tree that gets the features")
    parser.add_argument("--name", default="commentary", help="of the feature file (default: %(default)s)")
    parser.add_argument("--fps", default="1", help="rows per second, such as 1, 2 or 25/12 (default: %(default)s)")
    parser.add_argument("--task", default="soccernet-v2", help="its splits and labels (default: %(default)s)")
    parser.add_argument("--components", type=int, default=256, help="topic components (default: %(default)s)")
    parser.add_argument(
        "--min-halves", type=int, default=20, help="training halves that have to have a word (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Fit the text model, write the features, and print what was made of what."""
    fps, name, root = float(parse_fps(arguments.fps, "--fps")), arguments.name, arguments.root
    check_settings(arguments)
    task = Task.load(arguments.task)
    splits = load_splits(task, root)
    games = {game: split for split, listed in splits.items() for game in listed}
    given = dict(read_transcripts(arguments.transcripts))
    known = {half: each for half, each in given.items() if half.game in games and half.number in task.halves}
    if not known:
        first = next(iter(given)).game
        raise UserError(f"{arguments.transcripts}: none of its games, as {first!r}, is of a split of {task.name}")
    if ignored := len(given) - len(known):
        log.warning("halves of the transcripts of no game of %s, left out: %d", task.name, ignored)
    there = [game for game in games if (root / game).is_dir() or any(Half(game, n) in known for n in task.halves)]
    halves = {half: known.get(half, NONE) for half in (Half(game, n) for game in there for n in task.halves)}
    rows = {half: count_rows(root, half, transcript, fps, name) for half, transcript in halves.items()}
    model_file = root / f"{name}{TEXT_MODEL}"
    fitted = fit(halves, rows, set(splits["train"]), root, task, fps, arguments)
    atomic_write(model_file, b"")  # until all features are of this text model, nobody reads them
    for half, transcript in halves.items():
        write_half(root, half, name, transcript, rows[half], fitted)
    atomic_write(model_file, fitted.model.dump())
    sum_up(halves, rows, fitted, root, name)
    return 0


def check_settings(arguments: argparse.Namespace) -> None:
    """Raise UsageError for a setting that cannot be."""
    check_positive("components", arguments.components)
    check_positive("min-halves", arguments.min_halves)
    if Path(arguments.name).name != arguments.name or arguments.name.startswith("."):
        raise UsageError(f"--name: expected the name of a feature file, found {arguments.name!r}")
    if find_spec("scipy") is None:
        raise UserError("fitting a text model needs scipy: pip install scipy")
    if not arguments.root.is_dir():
        raise UserError(f"{arguments.root}: no such folder; give the official tree that gets the features")


def fit(
    halves: Mapping[Half, Transcript],
    rows: Mapping[Half, int],
    train: set[str],
    root: Path,
    task: Task,
    fps: float,
    arguments: argparse.Namespace,
) -> FittedText:
    """Fit the text model on the games of the training split, with their labels where all are there."""
    from spotter.data.commentary.fit import TrainingHalf, fit_text_model

    mine = [half for half in halves if half.game in train]
    if not any(len(halves[half]) for half in mine):
        raise UserError(f"{arguments.transcripts}: holds no game of the training split, on which the model is fitted")
    games = sorted({half.game for half in mine})
    missing = format_of(task).missing(root, games, task)
    if missing:
        first = next(iter(missing.values()))
        log.warning("labels of %d of %d training games are missing, first %s: topics and speech alone, no evidence "
                    "of classes", len(missing), len(games), first)  # fmt: skip
    spots = {} if missing else format_of(task).read(root, games, task)
    training = {half: TrainingHalf(halves[half], rows[half], spots.get(half)) for half in mine}
    return fit_text_model(training, fps, len(task.classes), arguments.components, arguments.min_halves)


def write_half(root: Path, half: Half, name: str, transcript: Transcript, rows: int, fitted: FittedText) -> None:
    """Write the features of a half and what describes them."""
    model = fitted.model
    features = model.features(transcript, rows, fitted.evidence_for(half.game))
    path = game_file(root, half.game, f"{half.number}_{name}.npy")
    write_array(path, features)
    about = {
        "fps": str(parse_fps(model.fps)),
        "offset": 0.0,
        "width": features.shape[1],
        "groups": model.groups,
        "rows": rows,
        "made_by": "spotter prepare commentary",
        "segments": len(transcript),
        "english": is_english(transcript) if len(transcript) else None,
        "fold": fitted.folds.get(half.game),
    }
    write_sidecar(path, about)


def sum_up(
    halves: Mapping[Half, Transcript], rows: Mapping[Half, int], fitted: FittedText, root: Path, name: str
) -> None:
    """Print what was made, and say once of every oddity how often it was met."""
    model, said = fitted.model, [each for each in halves.values() if len(each)]
    counts: Counter[str] = Counter()
    for half, transcript in halves.items():
        counts += transcript.oddities
        counts["segments beyond the end of their half, left out"] += int(
            (transcript.start * model.fps >= rows[half]).sum()
        )
        counts["segments that repeat the one before them, counted as no speech"] += int(repeated(transcript).sum())
    counts["halves in another language than English"] = sum(not is_english(each) for each in said)
    counts["halves without a transcript, all zeros"] = len(halves) - len(said)
    for what, number in counts.items():
        if number:
            log.warning("%s: %d", what, number)
    games = plural(len({half.game for half in halves}), "game")
    segments = plural(sum(map(len, said)), "segment")
    groups = str(model.groups).replace(" ", "")
    sys.stdout.write(
        f"{root}: {plural(len(halves), 'half')} of {games} made, {segments}, "
        f"{plural(len(model.terms), 'term')}, {sum(model.groups)} columns at {model.fps:g} fps\n"
        f"train with: data=commentary data.width={sum(model.groups)} data.source.streams.commentary.groups={groups}\n"
    )
