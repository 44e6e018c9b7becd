"""Simulated players stand where set pieces want them, are seen within the image alone, and can be exchanged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spotter.data.players import PLAYER, VIEW, slots_of
from spotter.io.formats import format_of
from spotter.simulation.features import simulate
from spotter.simulation.features.players import FILES, PITCH, SLOTS, player_rows
from spotter.tasks import Task
from spotter.types import Spots

TASK = Task.load("soccernet-v2")


def players(rows: np.ndarray) -> np.ndarray:
    return rows[:, VIEW:].reshape(len(rows), -1, PLAYER)


def test_rows_have_the_form_that_networks_take() -> None:
    rows = player_rows(TASK, Spots.empty(), 400, 2.0, np.random.default_rng(0))
    assert slots_of(rows.shape[1]) == SLOTS
    calibrated = rows[:, 0] > 0
    assert 0.5 < calibrated.mean() < 1
    assert not rows[~calibrated].any()
    seen, view = players(rows)[calibrated], rows[calibrated, 1:VIEW].reshape(-1, 4, 2)
    there = seen[..., 0] > 0
    assert 3 < there.sum(axis=1).mean() < 22
    low, high = view.min(axis=1)[:, None], view.max(axis=1)[:, None]
    place = seen[..., 1:3]
    assert ((place >= low) & (place <= high)).all(axis=2)[there].all()
    assert not seen[~there].any()
    assert np.abs(seen[..., 3:6]).max() <= 1


@pytest.mark.parametrize("name", ["Corner", "Penalty", "Throw-in"])
def test_they_stand_in_a_pattern_before_it_and_not_long_before(name: str) -> None:
    """At a corner most are in front of a goal; at a penalty, too; at a throw-in many are near a touchline."""
    axis, least = (1, 18.0) if name == "Throw-in" else (0, 27.0)
    near, far = [], []
    for seed in range(20):
        spots = Spots(np.array([TASK.classes.index(name)]), np.array([60.0]), np.ones(1, bool))
        rows = player_rows(TASK, spots, 240, 2.0, np.random.default_rng(seed))
        count = ((np.abs(players(rows)[..., 1 + axis]) > least) & (players(rows)[..., 0] > 0)).sum(axis=1)
        near.append(count[110:119][rows[110:119, 0] > 0].max(initial=0))
        far.append(count[:60].mean())
    assert np.mean(near) > np.mean(far) + 3


def test_a_tree_has_those_of_each_game_and_those_of_another(tmp_path: Path) -> None:
    root = simulate(tmp_path / "tree", games=(2, 0, 0), minutes=4, width=32, players=True)
    first, second = format_of(TASK).games(root, TASK)
    rows = {game: [np.load(root / game / f"1_{name}.npy") for name in FILES] for game in (first, second)}
    length = min(len(rows[first][0]), len(rows[second][0]))
    assert len(rows[first][0]) == len(rows[first][1]) == len(np.load(root / first / "1_baidu_soccer_embeddings.npy"))
    assert (rows[first][1][:20, VIEW + 3] != rows[first][0][:20, VIEW + 3]).any()
    assert length > 200
    assert np.abs(players(rows[first][0])[..., 1:3].astype(float)).max() < PITCH.max() + 10
    written = (root / first / f"1_{FILES[0]}.npy").stat().st_mtime_ns
    simulate(root, games=(2, 0, 0), minutes=4, width=32, players=True)
    assert (root / first / f"1_{FILES[0]}.npy").stat().st_mtime_ns == written
