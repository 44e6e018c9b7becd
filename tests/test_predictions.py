"""Predictions as a mapping, a table and files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest

from spotter.errors import UserError
from spotter.predictions import COLUMNS, Predictions
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions

TASK = Task.load(
    {"name": "hockey", "classes": ["Goal", "Foul"], "label_file": "L.json", "fps": 2, "monitor": "loose_map"}
)
FIRST, SECOND = Half("a/b/c", 1), Half("a/b/c", 2)


def made(*halves: Half) -> Predictions:
    spots = HalfPredictions(np.array([1, 0]), np.array([3754.321, 0.5]), np.array([0.25, 1.0]))
    return Predictions(dict.fromkeys(halves, spots), TASK)


def test_they_are_a_mapping_in_order() -> None:
    predictions = made(SECOND, FIRST)
    assert list(predictions) == [FIRST, SECOND]
    assert len(predictions) == 2
    assert len(predictions[FIRST]) == 2
    assert predictions.games == ["a/b/c"]
    assert repr(predictions) == "<Predictions of hockey: 4 spots in 2 halves>"


def test_the_table_has_a_row_for_each_spot_by_time() -> None:
    frame = made(SECOND, FIRST).to_frame()
    assert tuple(frame.columns) == COLUMNS
    assert frame.iloc[0].to_list() == ["a/b/c", 1, 0.5, "00:00", "Goal", 1.0]
    assert frame.iloc[3].to_list() == ["a/b/c", 2, 3754.321, "62:34", "Foul", 0.25]
    assert [str(kind) for kind in frame.dtypes[["half", "time", "confidence"]]] == ["int64", "float64", "float64"]


@pytest.mark.parametrize("predictions", [Predictions({}, TASK), Predictions({FIRST: HalfPredictions.empty()}, TASK)])
def test_a_table_may_be_empty(predictions: Predictions) -> None:
    assert tuple(predictions.to_frame().columns) == COLUMNS
    assert len(predictions.to_frame()) == 0


def test_csv_holds_the_table(tmp_path: Path) -> None:
    made(FIRST).to_csv(tmp_path / "new" / "spots.csv")
    lines = (tmp_path / "new" / "spots.csv").read_text("utf-8").splitlines()
    assert lines == [
        "game,half,time,clock,class,confidence",
        "a/b/c,1,0.5,00:00,Goal,1.0",
        "a/b/c,1,3754.321,62:34,Foul,0.25",
    ]


def test_json_of_one_game_is_the_official_file(tmp_path: Path) -> None:
    made(FIRST, SECOND).to_json(tmp_path / "results_spotting.json")
    document = orjson.loads((tmp_path / "results_spotting.json").read_bytes())
    assert document["UrlLocal"] == "a/b/c"
    assert [entry["half"] for entry in document["predictions"]] == ["1", "1", "2", "2"]
    read = Predictions.read(tmp_path / "results_spotting.json", TASK)
    assert list(read) == [FIRST, SECOND]
    assert read[SECOND].time.tolist() == [0.5, 3754.321]


def test_json_of_several_games_is_a_folder_with_a_zip(tmp_path: Path) -> None:
    predictions = made(FIRST, Half("a/b/d", 1))
    with pytest.raises(UserError, match="a file holds one game, and these are 2: give a folder"):
        predictions.to_json(tmp_path / "all.json")
    predictions.to_json(tmp_path / "all")
    for path in (tmp_path / "all", tmp_path / "all" / "results_spotting.zip"):
        assert Predictions.read(path, TASK).to_frame().equals(predictions.to_frame())


def test_a_folder_without_predictions_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no predictions"):
        Predictions.read(tmp_path, TASK)


def test_only_tables_import_pandas() -> None:
    code = "import sys, spotter.predictions; assert not {'pandas', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
