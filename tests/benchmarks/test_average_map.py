"""Scoring a season (100 games, 600 predictions a half) against the official evaluator, in CPU seconds.

Ours gives tight, loose and the mAP at 1 to 5 seconds; the official code only tight and loose.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from SoccerNet.Evaluation import ActionSpotting

from spotter.evaluation.average_map import average_map
from spotter.evaluation.bootstrap import compare_systems
from spotter.io.predictions import PREDICTION_FILE, read_predictions, write_predictions
from spotter.io.soccernet import SoccerNet
from spotter.io.trees import find_games
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions

TASK = Task.load("soccernet-v2")
GAMES, SPOTS, PREDICTED, LENGTH = 100, 110, 600, 2_800_000
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


def test_whole_process(
    benchmark: BenchmarkFixture, season: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    roots = list(map(str, season))
    theirs = _cpu(lambda: _run("-c", OFFICIAL, *roots), resource.RUSAGE_CHILDREN)
    ours: list[float] = []

    def evaluate() -> None:
        command = ("-m", "spotter", "evaluate", *roots, "--json", f"{roots[0]}.json")
        ours.append(_cpu(lambda: _run(*command), resource.RUSAGE_CHILDREN))

    benchmark.pedantic(evaluate, rounds=7)
    _report(benchmark, capsys, theirs, float(np.median(ours)), least=25)


def test_loaded_arrays(
    benchmark: BenchmarkFixture,
    season: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    games = find_games(season[0], TASK.label_file)
    labels, predictions = SoccerNet().read(season[0], games, TASK), read_predictions(season[1], games, TASK)
    ours: list[float] = []
    benchmark.pedantic(
        lambda: ours.append(_cpu(lambda: average_map(labels, predictions, TASK))), rounds=15, warmup_rounds=1
    )

    averaged, theirs = ActionSpotting.average_mAP, []

    def timed(*arguments: object, **options: object) -> object:
        start = time.process_time()
        result = averaged(*arguments, **options)
        theirs.append(time.process_time() - start)
        return result

    monkeypatch.setattr(ActionSpotting, "average_mAP", timed)
    monkeypatch.setattr(ActionSpotting, "tqdm", iter)
    names = {name: index for index, name in enumerate(TASK.classes)}
    for metric in ("tight", "loose"):
        ActionSpotting.evaluate(*map(str, season), PREDICTION_FILE, metric=metric, dataset=None, EVENT_DICTIONARY=names)
    _report(benchmark, capsys, sum(theirs), float(np.median(ours)), least=100)


def test_comparison(benchmark: BenchmarkFixture, season: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Two predictions side by side, 1000 resamples of the season, 17 classes, 16 tolerances: CPU seconds."""
    games = find_games(season[0], TASK.label_file)
    labels, predictions = SoccerNet().read(season[0], games, TASK), read_predictions(season[1], games, TASK)
    later = {half: HalfPredictions(p.label, p.time + 0.2, p.confidence) for half, p in predictions.items()}
    ours: list[float] = []
    both = {"first": predictions, "later": later}
    benchmark.pedantic(lambda: ours.append(_cpu(lambda: compare_systems(labels, both, TASK))), rounds=3)
    once = _cpu(lambda: average_map(labels, predictions, TASK))
    with capsys.disabled():
        sys.stdout.write(f"\n{np.median(ours):.1f} s for 2 x 1000 resamples, {2000 * once:.0f} s one by one\n")
    assert 2000 * once / float(np.median(ours)) >= 15


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def _cpu(work: Callable[[], object], who: int = resource.RUSAGE_SELF) -> float:
    before = resource.getrusage(who)
    work()
    after = resource.getrusage(who)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _report(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], theirs: float, ours: float, least: float
) -> None:
    benchmark.extra_info["official / ours, CPU"] = theirs / ours
    with capsys.disabled():
        sys.stdout.write(f"\n{theirs:.2f} s / {ours:.3f} s = {theirs / ours:.0f} times less CPU\n")
    assert theirs / ours >= least
