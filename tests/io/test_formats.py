"""Annotation formats: chosen by the task, written and read again, added from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from spotter.errors import UserError
from spotter.io.formats import format_of, register_format
from spotter.io.soccernet import SoccerNet
from spotter.tasks import Task
from spotter.types import Half, Spots
from tests.extensions.my_format import Lines

TASK = Task(name="small", classes=("Goal", "Foul"), label_file="Labels-v2.json", fps=2, monitor="tight_map")
LABELS = {
    Half("a/b/c", 1): Spots(np.array([1, 0]), np.array([12.34, 3754.321]), np.array([True, False])),
    Half("a/b/c", 2): Spots.empty(),
    Half("a/b/d", 1): Spots.empty(),
    Half("a/b/d", 2): Spots(np.array([0]), np.array([0.0]), np.array([True])),
}


def same(some: Mapping[Half, Spots], others: Mapping[Half, Spots]) -> bool:
    columns = ("label", "time", "visible")
    return list(some) == list(others) and all(
        np.array_equal(getattr(some[half], name), getattr(others[half], name)) for half in some for name in columns
    )


def test_written_labels_are_read_again(tmp_path: Path) -> None:
    official = format_of(TASK)
    official.write(tmp_path, LABELS, TASK)
    assert official.games(tmp_path, TASK) == ["a/b/c", "a/b/d"]
    assert same(official.read(tmp_path, ["a/b/c", "a/b/d"], TASK), LABELS)
    assert official.missing(tmp_path, ["a/b/c", "x"], TASK) == {"x": tmp_path / "x" / "Labels-v2.json"}
    (entry, _) = orjson.loads((tmp_path / "a/b/c/Labels-v2.json").read_bytes())["annotations"]
    assert entry == {"gameTime": "1 - 00:12", "label": "Foul", "position": "12340", "visibility": "visible"}


def test_periods_beyond_the_second_are_read_where_the_task_has_them(tmp_path: Path) -> None:
    third = {Half("a/b/c", 3): Spots(np.array([0]), np.array([5.0]), np.array([True]))}
    official = SoccerNet()
    official.write(tmp_path, third, TASK)
    assert [half.number for half in official.read(tmp_path, ["a/b/c"], TASK)] == [1, 2]
    read = official.read(tmp_path, ["a/b/c"], replace(TASK, halves=(1, 2, 3)))
    assert [len(spots) for spots in read.values()] == [0, 0, 1]


def test_a_single_label_file_is_one_game(tmp_path: Path) -> None:
    official = SoccerNet()
    official.write(tmp_path, LABELS, TASK)
    file = tmp_path / "a/b/c/Labels-v2.json"
    assert official.games(file, TASK) == ["a/b/c"]
    assert len(official.read(file, ["a/b/c"], TASK)[Half("a/b/c", 1)]) == 2
    with pytest.raises(UserError, match="a single file holds one game, not 2"):
        official.read(file, ["a/b/c", "a/b/d"], TASK)


def test_a_format_may_come_from_outside(tmp_path: Path) -> None:
    task = replace(TASK, format="lines", label_file="all.txt")
    visible = {half: Spots(s.label, s.time, np.ones(len(s), bool)) for half, s in LABELS.items()}
    format_of(task).write(tmp_path, visible, task)
    assert format_of(task).games(tmp_path, task) == ["a/b/c", "a/b/d"]
    assert same(format_of(task).read(tmp_path, ["a/b/c", "a/b/d"], task), visible)


def test_an_unknown_format_is_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"format 'osl' is unknown: give one of .*soccernet"):
        format_of(replace(TASK, format="osl"))


def test_the_names_of_shipped_formats_are_taken() -> None:
    with pytest.raises(ValueError, match="'soccernet' is spotter's own"):
        register_format("soccernet", Lines())
