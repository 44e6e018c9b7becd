"""Rendered matches of the twelve actions: all occur, by both sides, and ball and players do what labels say."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.cli.compose import prepare_hydra
from spotter.errors import UserError
from spotter.io.soccernet import SoccerNet
from spotter.io.splits import read_splits
from spotter.simulation.labels import drawn_matches
from spotter.simulation.video import simulate_video
from spotter.simulation.video.action_play import HANDS, HEAD
from spotter.simulation.video.actions import NAMES, Actions, actions_of, draw_action_match, draw_actions
from spotter.simulation.video.motion import move_actions, plan_actions
from spotter.simulation.video.squad import PITCH, SIDE
from spotter.tasks import Task
from spotter.types import Half

CONF = Path(__file__).parent.parent.parent / "conf"
TASK = Task.load("ball-2025")


def test_every_action_of_both_sides_occurs_in_every_split_of_the_demo() -> None:
    prepare_hydra()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        demo = compose("train", ["data=demo_ball", "run_dir=."]).data.demo
    draw = partial(draw_action_match, demo.seed, minutes=demo.minutes)
    for matches in drawn_matches(draw, demo.games).values():
        spots = [spots for match in matches for spots in match.labels.values()]
        assert set(np.concatenate([each.label for each in spots])) == set(range(12))
        assert set(np.concatenate([each.team for each in spots])) == {"left", "right"}


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.floats(0, 5), st.integers(0, 1)), max_size=12), st.integers(0, 99))
@settings(max_examples=60)
def test_the_ball_never_jumps_whatever_labels_say(rows: list[tuple[str, float, int]], seed: int) -> None:
    names, gaps, side = zip(*rows, strict=True) if rows else ((), (), ())
    actions = Actions(np.array(names, str), np.cumsum(np.array(gaps, float)), np.array(side, np.int64))
    play = plan_actions(actions, 10.0, np.random.default_rng(seed))
    assert play.ball[0].time[0] == 0.0
    for way, following in pairwise(play.ball):
        assert way.time[-1] == pytest.approx(following.time[0], abs=1e-9)
        assert (np.diff(way.time) >= 0).all()
        assert np.isfinite(way.place).all()
    motion = move_actions(actions, 10.0, 12.5, seed, "g")
    assert all(np.isfinite(each).all() for each in (motion.ball, motion.player, motion.stride, motion.pace))


@pytest.mark.parametrize("seed", range(3))
def test_the_ball_is_where_the_action_is_and_the_right_side_at_it(seed: int) -> None:
    actions = draw_actions(240.0, np.random.default_rng(seed))
    motion = move_actions(actions, 240.0, 50.0, seed, "g")
    frame = np.round(actions.time * 50).astype(int)
    ball, player = motion.ball[frame], motion.player[frame]
    over = (ball[:, :2] < 0).any(1) | (ball[:, :2] > PITCH).any(1)
    assert over[np.isin(actions.name, ["OUT", "GOAL"])].mean() > 0.9  # at the frame nearest to it
    assert np.allclose(ball[actions.name == "HEADER", 2], HEAD, atol=0.35)
    assert np.allclose(ball[actions.name == "THROW IN", 2], HANDS, atol=0.35)
    far = np.linalg.norm(player[:, :22] - ball[:, None, :2], axis=2)
    far[SIDE[:22] != actions.side[:, None]] = np.inf
    at_ball = far.min(axis=1)[~np.isin(actions.name, ["OUT", "GOAL"])]
    assert np.median(at_ball) < 0.7
    assert (at_ball < 1.5).mean() > 0.95
    shots = np.flatnonzero(actions.name[:-1] == "SHOT")
    way = motion.ball[frame[shots] + 10, 0] - ball[shots, 0]
    assert (np.sign(way) == 1 - 2 * actions.side[shots]).all(), "left plays to the right"


def test_a_tree_says_what_was_drawn_and_completes_itself(tmp_path: Path) -> None:
    settings = {"games": (1, 0, 0), "minutes": 0.2, "fps": 5, "height": 48, "task": "ball-2025"}
    root = simulate_video(tmp_path / "demo", **settings)
    (game,) = read_splits(root / "splits.json")["train"]
    spots = SoccerNet().read(root, [game], TASK)[Half(game, 1)]
    drawn = draw_action_match(0, 0, 0.2).labels[Half(game, 1)]
    assert actions_of(spots).name.tolist() == actions_of(drawn).name.tolist()
    assert spots.team.tolist() == drawn.team.tolist()
    video = root / game / "48p.mp4"
    content = video.read_bytes()
    video.unlink()
    simulate_video(root, **settings)
    assert video.read_bytes() == content
    with pytest.raises(UserError, match="holds a demo of video of ball-2025, not of video"):
        simulate_video(root, **{**settings, "task": "ball-2023"})
    with pytest.raises(UserError, match=r"task must be one of ball-2023, ball-2025, found 'ball-2022'"):
        simulate_video(tmp_path / "other", task="ball-2022")
