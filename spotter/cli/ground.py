"""Answer replays: when the action that each shows happened, as results_grounding.json of every game and as a zip.

spotter ground ckpt=PATH data.root=/data/SoccerNet [split=test] [out=DIR]
spotter ground ckpt=PATH input=1_match.npy replays=FILE [out=DIR]
spotter ground ckpt=PATH input=match.mp4 extractor=NAME_OR_CHECKPOINT replays=FILE [out=DIR]
spotter ground spots=PREDICTIONS data.root=/data/SoccerNet [split=test] out=DIR

The checkpoint is one of model=grounding, grounding_calf or grounding_netvlad. Of a split all replays of games with
Labels-cameras.json are answered, and scored where their action is known; a game without replays gets a file, too. For
a match of your own, FILE lists replays: {"Replays": [{"half": 1, "start": 600, "end": 612}, …]}, in whole seconds; its
input is features, or a video and what made the features that the model was trained on, see spotter extract. Without a
checkpoint, spots=PREDICTIONS answers by what spotter predict found before each replay, times how usual that delay is in
the training split.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spotter.cli.out_folder import check_out
from spotter.errors import UsageError, UserError, did_you_mean, plural

if TYPE_CHECKING:
    from spotter.data.replays import Replay, ReplaySource
    from spotter.data.source import InputSpec
    from spotter.io.cameras import CameraShots
    from spotter.io.grounding import Answers

    Cameras = Mapping[str, CameraShots]  # by game

KEYS = (
    "ckpt", "spots", "split", "data.root", "input", "replays", "extractor", "extractor_weights", "out", "trust",
    "device",
)  # fmt: skip

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("words", metavar="KEY=VALUE", nargs="+", help=f"one of {', '.join(KEYS)}")


def run(arguments: argparse.Namespace) -> int:
    """Answer, write, and score what has labels."""
    from spotter.data.replays import ReplaySource
    from spotter.inference.grounding import ground
    from spotter.inference.model import load_model
    from spotter.io.grounding import ZIP, Answers, write_answers
    from spotter.io.predictions import METRICS
    from spotter.io.run_folders import folder_beside
    from spotter.progress import ProgressDisplay

    given = _settings(arguments.words)
    if given.get("out"):
        check_out(Path(given["out"]), [], ZIP, "out")
    split, root = given.get("split", "test"), given["data.root"]
    cameras = {} if "input" in given else read_shots(root, split)
    if "spots" in given:
        out, answers = Path(given["out"]), _by_spots(given, split, cameras)
    else:
        model = load_model(given["ckpt"], given.get("device"), trust=given.get("trust", ""))
        spec = model.system.spec
        out = Path(given.get("out") or folder_beside(given["ckpt"]) / "answers" / split)
        if "input" in given:
            source, replays = _own(spec, given, str(model.compute.device))
        else:
            source, replays = ReplaySource.of_spec(spec, root), replays_in(cameras)
        with ProgressDisplay(sum(source.length(each.sequence) for each in replays), "frames") as watch:
            answers = ground(model.system, source, replays, model.compute, watch.update)
    answers = {game: answers.get(game, Answers.empty()) for game in cameras or answers}  # servers want every game
    (out / METRICS).unlink(missing_ok=True)  # of earlier answers
    write_answers(out, answers)
    log.info(
        "%s of %s answered: %s",
        plural(sum(map(len, answers.values())), "replay"),
        plural(len(answers), "game"),
        out / ZIP,
    )
    _score({game: cameras[game] for game in answers if game in cameras}, answers, out, split)
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
    if "extractor" in given and "input" not in given:
        raise UsageError("extractor is for input=…: a split has its features in files")
    if ("input" in given) != ("replays" in given):
        raise UsageError("input and replays: a match of your own needs both, input=1_match.npy replays=FILE")
    given.setdefault("data.root", os.environ.get("SOCCERNET_ROOT", ""))
    if "input" not in given and not given["data.root"]:
        raise UsageError("give data.root=FOLDER, or set the environment variable SOCCERNET_ROOT")
    return given


def _own(spec: InputSpec, given: Mapping[str, str], device: str) -> tuple[ReplaySource, list[Replay]]:
    """Return the source of a user's own files, and the replays of their halves."""
    from spotter.data.replays import Replay, ReplaySource
    from spotter.data.user_files import find_feature_files, find_video_files
    from spotter.extraction.two_stages import open_makers
    from spotter.io.grounding import read_replays

    makers = None
    if "extractor" in given:
        names = given["extractor"].strip("[]").split(",")  # one for each stream
        makers = open_makers(spec, names, given.get("extractor_weights"), device)
        files = {half: dict.fromkeys(makers, path) for half, path in find_video_files([given["input"]]).items()}
    else:
        files = find_feature_files([given["input"]], spec.streams)
    halves = {half.number: half for half in files}
    if len(halves) < len(files):
        raise UserError(f"input: {given['input']!r} holds several games; give one at a time")
    replays = read_replays(given["replays"])
    if absent := sorted({half for half, _, _ in replays} - set(halves)):
        raise UserError(f"{given['replays']}: names half {absent[0]}, of which there is no input: give its file")
    source = ReplaySource.of_spec(spec, files=files, makers=makers)
    for half, start, _ in replays:
        if start >= (ends := source.seconds(halves[half])):
            raise UserError(f"{given['replays']}: a replay at {start} s of half {half}, which ends at {ends:.0f} s")
    return source, [Replay(halves[half], *times) for half, *times in replays]


def read_shots(root: str, split: str) -> Cameras:
    """Return the camera shots of a split, of the games that have labels of them."""
    from spotter.data.replays import LABELS
    from spotter.io.cameras import read_cameras
    from spotter.io.game_files import game_file
    from spotter.io.splits import check_split, load_splits

    games = load_splits(LABELS, root)[check_split(split)]
    labelled = [game for game in games if game_file(root, game, LABELS.label_file).is_file()]
    if not labelled:
        raise UserError(f"{root}: no game of split {split} has {LABELS.label_file}: get the camera labels")
    if lacking := len(games) - len(labelled):
        log.info("%d of %d games of split %s have no %s", lacking, len(games), split, LABELS.label_file)
    return read_cameras(root, labelled, LABELS)


def replays_in(cameras: Cameras) -> list[Replay]:
    """Return all replays, whether their action is known or not."""
    from spotter.data.replays import Replay
    from spotter.types import Half

    replays = []
    for game, shots in cameras.items():
        rows = shots.replayed & (shots.start < shots.end)
        columns = (column[rows].tolist() for column in (shots.half, shots.start, shots.end))
        replays += [Replay(Half(game, half), start, end) for half, start, end in zip(*columns, strict=True)]
    return replays


def _by_spots(given: Mapping[str, str], split: str, cameras: Cameras) -> dict[str, Answers]:
    """Return the answers to the replays of a split by predicted spots."""
    from spotter.inference.delays import answer_by_spots, delay_prior
    from spotter.io.cameras import find_replays
    from spotter.io.predictions import read_predictions
    from spotter.io.run_folders import find_predictions_of
    from spotter.tasks import Task

    train = cameras if split == "train" else read_shots(given["data.root"], "train")
    prior = delay_prior(find_replays(train).values())
    replays: dict[str, list[tuple[int, int, int]]] = {}
    for half, start, end in replays_in(cameras):
        replays.setdefault(half.game, []).append((half.number, start, end))
    source = find_predictions_of(Path(given["spots"]), split)
    spots = read_predictions(source, replays, Task.load("soccernet-v2"))
    return {
        game: answer_by_spots(listed, {half.number: rows for half, rows in spots.items() if half.game == game}, prior)
        for game, listed in replays.items()
    }


def _score(cameras: Cameras, answers: Mapping[str, Answers], out: Path, split: str) -> None:
    """Score the answers to replays whose action is known, if there are any."""
    from rich.console import Console

    from spotter.data.replays import LABELS
    from spotter.evaluation.grounding import grounding_scores, pair
    from spotter.evaluation.table import grounding_table
    from spotter.io.files import atomic_write, json_bytes
    from spotter.io.predictions import METRICS

    found = pair(cameras, answers)
    if found.replays:
        metrics = {**grounding_scores(found), "games": len(cameras), "task": LABELS.name, "split": split}
        atomic_write(out / METRICS, json_bytes(metrics))
        Console().print(grounding_table({split: metrics}))
