"""Scoring 30 games (600 predictions a half) against the official evaluator.

Ours gives tight, loose and the mAP at 1 to 5 seconds; the official code only tight and loose.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from SoccerNet.Evaluation import ActionSpotting

from spotter.evaluation.average_map import average_map
from spotter.evaluation.bootstrap import compare_systems
from spotter.io.predictions import PREDICTION_FILE, read_predictions, write_predictions
from spotter.io.soccernet import SoccerNet
from spotter.io.trees import find_games
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions
from tests.benchmarks.conftest import Note
from tests.benchmarks.pairs import Pairs, compare, cpu_seconds

TASK = Task.load("soccernet-v2")
GAMES, SPOTS, PREDICTED, LENGTH = 30, 110, 600, 2_800_000
OFFICIAL = """
import sys
from SoccerNet.Evaluation.ActionSpotting import evaluate
from SoccerNet.Evaluation.utils import EVENT_DICTIONARY_V2
for metric in ("tight", "loose"):
    evaluate(*sys.argv[1:], metric=metric, dataset=None, EVENT_DICTIONARY=EVENT_DICTIONARY_V2)
"""


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the roots of the labels and of predictions: jittered labels among false alarms."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("season")
    predictions = {}
    for game in (f"league/season/{number:03d}" for number in range(GAMES)):
        entries = []
        for half in TASK.halves:
            at, label = np.sort(rng.integers(0, LENGTH, SPOTS)), rng.integers(0, len(TASK.classes), SPOTS)
            visibility = rng.choice(["visible", "not shown"], SPOTS, p=[0.82, 0.18])
            entries += [
                {"gameTime": f"{half} - 00:00", "label": TASK.classes[c], "position": str(t), "visibility": str(v)}
                for c, t, v in zip(label, at, visibility, strict=True)
            ]
            alarms = PREDICTED - SPOTS
            near = np.maximum(at + rng.normal(0, 1500, SPOTS).astype(int), 0)
            predictions[Half(game, half)] = HalfPredictions(
                np.append(label, rng.integers(0, len(TASK.classes), alarms)),
                np.append(near, rng.integers(0, LENGTH, alarms)) / 1000,
                np.append(rng.random(SPOTS) ** 0.5, rng.random(alarms) ** 3),
            )
        path = root / "labels" / game / TASK.label_file
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"annotations": entries}, indent=4), encoding="utf-8")
    write_predictions(root / "predictions", predictions, TASK)
    return root / "labels", root / "predictions"


def test_evaluate(note: Note, season: tuple[Path, Path]) -> None:
    roots = list(map(str, season))

    def ours() -> None:
        _run("-m", "spotter", "evaluate", *roots, "--json", f"{roots[0]}.json")

    note("evaluate", compare(ours, lambda: _run("-c", OFFICIAL, *roots), pairs=3, warmup=0))


def test_average_map(note: Note, season: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the official code only ``average_mAP`` counts, which begins when its arrays are made."""
    games = find_games(season[0], TASK.label_file)
    labels, predictions = SoccerNet().read(season[0], games, TASK), read_predictions(season[1], games, TASK)
    averaged, official = ActionSpotting.average_mAP, []

    def timed(*arguments: object, **options: object) -> object:
        results: list[object] = []
        official.append(cpu_seconds(lambda: results.append(averaged(*arguments, **options))))
        return results[0]

    monkeypatch.setattr(ActionSpotting, "average_mAP", timed)
    monkeypatch.setattr(ActionSpotting, "tqdm", iter)
    names = {name: index for index, name in enumerate(TASK.classes)}
    ours, theirs = [], []
    average_map(labels, predictions, TASK)
    for _ in range(3):
        ours.append(cpu_seconds(lambda: average_map(labels, predictions, TASK)))
        official.clear()
        for metric in ("tight", "loose"):
            ActionSpotting.evaluate(
                *map(str, season), PREDICTION_FILE, metric=metric, dataset=None, EVENT_DICTIONARY=names
            )
        theirs.append(sum(official))
    note("average_map", Pairs(ours, theirs))


def test_bootstrap(note: Note, season: tuple[Path, Path]) -> None:
    """Two predictions side by side, 1000 resamples of the games, 17 classes, 16 tolerances."""
    games = find_games(season[0], TASK.label_file)
    labels, predictions = SoccerNet().read(season[0], games, TASK), read_predictions(season[1], games, TASK)
    later = {half: HalfPredictions(p.label, p.time + 0.2, p.confidence) for half, p in predictions.items()}
    both = {"first": predictions, "later": later}
    found = compare(lambda: compare_systems(labels, both, TASK), lambda: average_map(labels, predictions, TASK), 3)
    note("bootstrap", Pairs(found.ours, [2000 * once for once in found.theirs]))


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
