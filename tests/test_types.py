"""The vocabulary of a half, and the metric's frames."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spotter.types import Half, HalfPredictions, Spots, metric_frame


@given(st.lists(st.integers(-10_000_000, 10_000_000), max_size=50), st.sampled_from([1, 2, 5, 25]))
def test_a_time_becomes_the_frame_that_python_truncates_it_to(milliseconds: list[int], fps: int) -> None:
    times = np.array(milliseconds, float) / 1000
    frames = metric_frame(times, fps)
    assert frames.dtype == np.int64
    assert frames.tolist() == [int(fps * (position / 1000)) for position in milliseconds]


def test_times_before_the_start_round_towards_it() -> None:
    assert metric_frame(np.array([-0.7, -0.4, 0.4, 0.7]), 2).tolist() == [-1, 0, 0, 1]


def test_a_half_without_spots_joins_with_others() -> None:
    one = Spots(np.array([3]), np.array([1.5]), np.array([True]))
    label = np.concatenate([Spots.empty().label, one.label])
    assert (len(Spots.empty()), len(one), label.dtype) == (0, 1, np.int64)
    assert Spots.empty().visible.dtype == bool
    assert len(HalfPredictions.empty()) == 0
    assert HalfPredictions.empty().confidence.dtype == HalfPredictions.empty().time.dtype == np.float64


def test_a_half_is_a_key() -> None:
    assert {Half("league/season/match", 1): "a"}[Half("league/season/match", 1)] == "a"
    assert sorted([Half("b", 1), Half("a", 2), Half("a", 1)])[0] == Half("a", 1)
