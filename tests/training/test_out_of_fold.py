"""Out-of-fold predictions: each game as the run saw it that had held it out, and a run that is trained by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spotter.errors import UserError
from spotter.io.predictions import write_predictions
from spotter.tasks import Task
from spotter.training.datamodule import SpottingDataModule
from spotter.training.out_of_fold import read_out_of_fold
from spotter.types import Half, HalfPredictions
from tests.conftest import call
from tests.helpers.trees import TASK, source_of, write_game
from tests.helpers.videos import write_matches

BALL, HALVES = Task.load("ball-2023"), [Half("l/s/a", 1), Half("l/s/b", 1)]


def write(folder: Path, half: Half, *times: float) -> None:
    rows = HalfPredictions(np.zeros(len(times), np.int64), np.array(times), np.full(len(times), 0.8))
    write_predictions(folder, {half: rows}, BALL)


def sweep(folder: Path) -> Path:
    """Write what two runs predicted of the games that they had held out."""
    write(folder / "0" / "predictions" / "valid", HALVES[0], 1.0, 2.0)
    write(folder / "1" / "predictions" / "valid", HALVES[1], 3.0)
    write(folder / "1" / "predictions" / "test", HALVES[0], 9.0)
    return folder


def test_each_game_is_that_of_the_run_that_held_it_out(tmp_path: Path) -> None:
    found = read_out_of_fold(sweep(tmp_path), HALVES, BALL)
    assert [each.time.tolist() for each in found] == [[1.0, 2.0], [3.0]]
    alone = read_out_of_fold(tmp_path / "1" / "predictions" / "valid", HALVES, BALL)
    assert [each.time.tolist() for each in alone] == [[], [3.0]]


def test_two_sweeps_in_one_folder_are_an_error(tmp_path: Path) -> None:
    write(sweep(tmp_path) / "2" / "predictions" / "valid", HALVES[1], 4.0)
    with pytest.raises(UserError, match=r"1/predictions/valid and .*2/predictions/valid both predict l/s/b"):
        read_out_of_fold(tmp_path, HALVES, BALL)
    with pytest.raises(UserError, match="predictions of none of the 1 training games"):
        read_out_of_fold(tmp_path, [Half("l/s/other", 1)], BALL)
    with pytest.raises(UserError, match=r"data\.out_of_fold: no '.*/nowhere'; give the folder of a sweep"):
        read_out_of_fold(tmp_path / "nowhere", HALVES, BALL)


def test_it_needs_balanced_clips(tmp_path: Path) -> None:
    write_game(tmp_path, "a", {1: 30, 2: 30}, [(1, "Goal", 1000)])
    clips = {"clip_len": 10, "per_epoch": 64}
    with pytest.raises(UserError, match=r"data\.out_of_fold: .* set model\.clips\.sampling=balanced"):
        SpottingDataModule(TASK.to_dict(), source_of(tmp_path), clips, str(tmp_path), out_of_fold="folds")


@pytest.mark.slow
def test_a_run_sees_what_others_found_wrongly(tmp_path: Path) -> None:
    words = [
        *("model=e2e_spot", "model.pretrained=false", "model.clips.clip_len=8", "model.clips.per_epoch=8"),
        *("data=ball", f"data.root={write_matches(tmp_path / 'matches')}", "data.fps=12.5", "data.size=[32,48]"),
        *("data.batch_size=4", "data.num_workers=0", "trainer=cpu", "trainer.max_epochs=1", "logger=none"),
        *("data.splits.train=[l/s/a,l/s/c]", "data.splits.test=[]", "model.clips.sampling=balanced"),
    ]
    called = call("train.py", *words, f"data.out_of_fold={sweep(tmp_path / 'a, b')}", cwd=tmp_path)
    assert called.status == 0, called.err
    assert "no predictions of 1 of 2 training games in data.out_of_fold" in called.err
