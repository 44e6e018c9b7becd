"""Answer replays: when the action that each shows happened, as results_grounding.json of every game and as a zip.

spotter ground ckpt=PATH data.root=/data/SoccerNet [split=test] [out=DIR]
spotter ground ckpt=PATH input=1_match.npy replays=FILE [out=DIR]
spotter ground spots=PREDICTIONS data.root=/data/SoccerNet [split=test] out=DIR

The checkpoint is one of model=grounding, grounding_calf or grounding_netvlad. Of a split all replays of games with
Labels-cameras.json are answered, and scored where their action is known. For a match of your own, FILE lists replays:
{"Replays": [{"half": 1, "start": 600, "end": 612}, …]}, in whole seconds. Without a checkpoint, spots=PREDICTIONS
answers by what spotter predict found before each replay, times how usual that delay is in the training split.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spotter.errors import UsageError, UserError, did_you_mean

if TYPE_CHECKING:
    from spotter.data.replays import Replay, ReplaySource
    from spotter.data.source import InputSpec
    from spotter.io.grounding import Answers

KEYS = ("ckpt", "spots", "split", "data.root", "input", "replays", "out", "trust", "device")

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("words", metavar="KEY=VALUE", nargs="+", help=f"one of {', '.join(KEYS)}")


def run(arguments: argparse.Namespace) -> int:
    """Answer, write, and score what has labels."""
    from spotter.data.replays import ReplaySource
    from spotter.inference.grounding import ground
    from spotter.inference.model import load
    from spotter.io.grounding import ZIP, write_answers
    from spotter.io.run_folders import folder_beside
    from spotter.progress import ProgressDisplay

    given = _settings(arguments.words)
    if "spots" in given:
        split, out = given.get("split", "test"), Path(given["out"])
        answers = _by_spots(given, split)
        write_answers(out, answers)
        log.info("%d games are answered: %s", len(answers), out / ZIP)
        _score(given["data.root"], out, sorted(answers), split)
        return 0
    model = load(given["ckpt"], given.get("device"), trust=given.get("trust", ""))
    out = Path(given.get("out") or folder_beside(given["ckpt"]) / "answers" / given.get("split", "test"))
    if "input" in given:
        source, replays = _own(model.system.spec, given)
    else:
        source = ReplaySource.of_spec(model.system.spec, given["data.root"])
        replays = _of_split(given["data.root"], given.get("split", "test"))
    with ProgressDisplay(sum(source.length(each.sequence) for each in replays), "frames") as watch:
        answers = ground(model.system, source, replays, model.compute, watch.update)
    write_answers(out, answers)
    log.info("%d replays of %d games are answered: %s", len(replays), len(answers), out / ZIP)
    if "input" not in given:
        _score(given["data.root"], out, sorted(answers), given.get("split", "test"))
    return 0


def _settings(words: Sequence[str]) -> dict[str, str]:
    given = dict(word.partition("=")[::2] for word in words)
    for key in given:
        if key not in KEYS:
            raise UsageError(f"{key}: unknown{did_you_mean(key, KEYS)}")
    if ("ckpt" in given) == ("spots" in given):
        raise UsageError("give ckpt=PATH, a checkpoint of model=grounding, or spots=PREDICTIONS")
    if "spots" in given and ("input" in given or not given.get("out")):
        raise UsageError("spots: give out=DIR with it, and data.root, whose camera labels say when replays are")
    if ("input" in given) != ("replays" in given):
        raise UsageError("input and replays: a match of your own needs both, input=1_match.npy replays=FILE")
    given.setdefault("data.root", os.environ.get("SOCCERNET_ROOT", ""))
    if "input" not in given and not given["data.root"]:
        raise UsageError("give data.root=FOLDER, or set the environment variable SOCCERNET_ROOT")
    return given


def _own(spec: InputSpec, given: Mapping[str, str]) -> tuple[ReplaySource, list[Replay]]:
    """Return the source of a user's own files, and the replays of their halves."""
    from spotter.data.replays import Replay, ReplaySource
    from spotter.data.user_files import find_feature_files
    from spotter.io.grounding import read_replays

    files = find_feature_files([given["input"]], spec.streams)
    halves = {half.number: half for half in files}
    if len(halves) < len(files):
        raise UserError(f"input: {given['input']!r} holds several games; give one at a time")
    replays = read_replays(given["replays"])
    if absent := sorted({half for half, _, _ in replays} - set(halves)):
        raise UserError(f"{given['replays']}: names half {absent[0]}, of which there is no input: give its features")
    return ReplaySource.of_spec(spec, files=files), [Replay(halves[half], *times) for half, *times in replays]


def _of_split(root: str, split: str) -> list[Replay]:
    """Return all replays of a split, of the games that have camera labels."""
    from spotter.data.replays import LABELS, Replay
    from spotter.io.cameras import read_cameras
    from spotter.io.game_files import game_file
    from spotter.io.splits import check_split, load_splits
    from spotter.types import Half

    games = load_splits(LABELS, root)[check_split(split)]
    labelled = [game for game in games if game_file(root, game, LABELS.label_file).is_file()]
    if not labelled:
        raise UserError(f"{root}: no game of split {split} has {LABELS.label_file}: get the camera labels")
    replays = []
    for game, shots in read_cameras(root, labelled, LABELS).items():
        columns = shots.half, shots.start, shots.end, shots.replayed & (shots.start < shots.end)
        for half, start, end, replayed in zip(*(column.tolist() for column in columns), strict=True):
            replays += [Replay(Half(game, half), start, end)] if replayed else []
    return replays


def _by_spots(given: Mapping[str, str], split: str) -> dict[str, Answers]:
    """Return the answers to the replays of a split by predicted spots."""
    from spotter.data.replays import LABELS
    from spotter.inference.delays import answer_by_spots, delay_prior
    from spotter.io.cameras import find_replays, read_cameras
    from spotter.io.predictions import read_predictions
    from spotter.io.run_folders import find_predictions_of
    from spotter.tasks import Task

    learned = {replay.half.game for replay in _of_split(given["data.root"], "train")}
    prior = delay_prior(find_replays(read_cameras(given["data.root"], sorted(learned), LABELS)).values())
    replays: dict[str, list[tuple[int, int, int]]] = {}
    for half, start, end in _of_split(given["data.root"], split):
        replays.setdefault(half.game, []).append((half.number, start, end))
    source = find_predictions_of(Path(given["spots"]), split)
    spots = read_predictions(source, replays, Task.load("soccernet-v2"))
    return {
        game: answer_by_spots(listed, {half.number: rows for half, rows in spots.items() if half.game == game}, prior)
        for game, listed in replays.items()
    }


def _score(root: str, out: Path, games: Sequence[str], split: str) -> None:
    """Score the answers to replays whose action is known, if there are any."""
    from rich.console import Console

    from spotter.data.replays import LABELS
    from spotter.evaluation.grounding import grounding_scores, pair
    from spotter.evaluation.table import grounding_table
    from spotter.io.cameras import read_cameras
    from spotter.io.files import atomic_write, json_bytes
    from spotter.io.grounding import read_answers

    found = pair(read_cameras(root, games, LABELS), read_answers(out, games))
    if found.replays:
        metrics = {**grounding_scores(found), "games": len(games), "task": LABELS.name, "split": split}
        atomic_write(out / "metrics.json", json_bytes(metrics))
        Console().print(grounding_table({split: metrics}))
