"""Prediction files read back the same, are official, and are confirmed."""

from __future__ import annotations

import math
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.evaluation.average_map import average_map
from spotter.io.predictions import confirm_zip, read_predictions, write_predictions
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

TASK = Task(name="small", classes=("Goal", "Foul"), label_file="Labels-v2.json", fps=2, monitor="tight_map")
GAME = "league/season/2015 Málaga 1 - 0 it's"


def columns() -> st.SearchStrategy[HalfPredictions]:
    position = st.one_of(st.integers(0, 3000), st.integers(-3000, 7_300_000))
    row = st.tuples(st.integers(0, 1), position, st.floats(-0.1, 1.1) | st.sampled_from([math.nan, math.inf, 0.5]))
    return st.lists(row, max_size=20).map(
        lambda rows: HalfPredictions(
            np.array([label for label, _, _ in rows], np.int64),
            np.array([at for _, at, _ in rows], np.float64) / 1000,
            np.array([confidence for _, _, confidence in rows], np.float64),
        )
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.tuples(columns(), columns(), columns()), columns())
def test_written_predictions_score_as_those_in_memory(
    halves: tuple[HalfPredictions, ...], truth: HalfPredictions
) -> None:
    names = [Half("a/b/c", 1), Half("a/b/c", 2), Half("a/b/d", 1)]
    labels = {name: Spots(truth.label, truth.time, truth.confidence > 0.3) for name in [*names, Half("a/b/d", 2)]}
    predictions = dict(zip(names, halves, strict=True))
    expected = average_map(labels, predictions, TASK)
    with tempfile.TemporaryDirectory() as folder:
        write_predictions(folder, predictions, TASK)
        for root in (folder, f"{folder}/results_spotting.zip"):
            assert average_map(labels, read_predictions(root, ["a/b/c", "a/b/d"], TASK), TASK) == expected


def test_written_file_has_the_official_fields(tmp_path: Path) -> None:
    half = Half(GAME, 2)
    predictions = {half: HalfPredictions(np.array([1, 0]), np.array([3754.321, -0.4]), np.array([1 / 3, 1e-9]))}
    write_predictions(tmp_path, predictions, TASK)
    document = orjson.loads((tmp_path / GAME / "results_spotting.json").read_bytes())
    late = {"gameTime": "2 - 62:34", "label": "Foul", "position": "3754321", "half": "2", "confidence": repr(1 / 3)}
    early = {"gameTime": "2 - 00:00", "label": "Goal", "position": "-400", "half": "2", "confidence": "1e-09"}
    assert document == {"UrlLocal": GAME, "predictions": [early, late]}


def test_zip_bytes_depend_on_the_predictions_only(tmp_path: Path) -> None:
    one = {Half(game, 1): HalfPredictions(np.array([0]), np.array([1.0]), np.array([0.5])) for game in ("a/b/c", GAME)}
    write_predictions(tmp_path / "one", one, TASK)
    write_predictions(tmp_path / "two", dict(reversed(one.items())), TASK)
    first, second = ((tmp_path / name / "results_spotting.zip").read_bytes() for name in ("one", "two"))
    assert first == second
    with zipfile.ZipFile(tmp_path / "one" / "results_spotting.zip") as archive:
        assert archive.namelist() == ["a/b/c/results_spotting.json", f"{GAME}/results_spotting.json"]
        assert archive.testzip() is None


def test_the_challenge_zip_is_confirmed(tmp_path: Path) -> None:
    write_predictions(tmp_path, {Half(GAME, 1): HalfPredictions.empty()}, TASK)
    zipped = tmp_path / "results_spotting.zip"
    assert confirm_zip(tmp_path, 1) == f"{zipped}: 1 of 1 game, 0.0 MB, ready for the challenge server"
    line = confirm_zip(tmp_path, 50)
    assert line == f"{zipped}: 1 of 50 games, 0.0 MB, incomplete: the challenge server wants all"


def test_game_without_predictions_is_written_too(tmp_path: Path) -> None:
    write_predictions(tmp_path, {Half(GAME, 1): HalfPredictions.empty()}, TASK)
    assert [len(half) for half in read_predictions(tmp_path, [GAME], TASK).values()] == [0, 0]


def test_extra_time_is_read_back(tmp_path: Path) -> None:
    one = HalfPredictions(np.array([0]), np.array([10.0]), np.array([0.5]))
    halves = {Half(GAME, number): one for number in (1, 3, 4)}
    write_predictions(tmp_path, halves, TASK)
    found = read_predictions(tmp_path, [GAME], TASK)
    assert {half.number: len(rows.label) for half, rows in found.items()} == {1: 1, 2: 0, 3: 1, 4: 1}
