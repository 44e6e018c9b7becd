"""Statistics count what a run is trained and scored on."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from rich.console import Console

from spotter.data.games import find_halves
from spotter.data.statistics import class_counts, dataset_statistics, statistics_table
from spotter.types import Half, HalfRecord
from tests.helpers.trees import TASK, source_of, write_game


def test_statistics_count_games_halves_hours_and_spots(tmp_path: Path) -> None:
    write_game(tmp_path, "a", {1: 2700, 2: 2700}, [(1, "Foul", 0), (2, "Foul", 9), (2, "Goal", 9)], hidden=[0, 2])
    write_game(tmp_path, "b", {1: 1800}, [])
    source = source_of(tmp_path)
    train = find_halves(tmp_path, "train", ["a"], TASK, source)
    challenge = [HalfRecord(Half("b", 1), 1800, None)]
    counted = dataset_statistics({"train": train, "challenge": challenge}, TASK, source.fps)
    assert counted["train"] == {
        "games": 1,
        "halves": 2,
        "hours": 1.5,
        "spots": 3,
        "not_shown": 2,
        "per_class": {"Goal": 1, "Foul": 2},
    }
    assert counted["challenge"]["hours"] == 0.5
    assert counted["challenge"]["per_class"] == {"Goal": 0, "Foul": 0}
    np.testing.assert_array_equal(class_counts(train, 2), [1, 2])
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(statistics_table(counted))
    cells = [re.findall(r"[\w.,]+", line) for line in console.export_text().splitlines()]
    assert ["Foul", "2", "0"] in cells
    assert ["not", "shown", "2", "0"] in cells
