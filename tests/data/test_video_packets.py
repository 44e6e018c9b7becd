"""Where stamps of packets start again: never for images out of order, a gap, or one wrong stamp."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.video.packets import NONE, find_jumps, find_outliers
from spotter.data.video.times import Numbers

SECOND = 90_000
BACK, AHEAD = 1.0 * SECOND, 10.0 * SECOND
steps = st.lists(st.integers(1, 8 * SECOND), min_size=40, max_size=80)


def in_coding_order(gaps: list[int], reorder: int, start: int = 0) -> Numbers:
    """Return stamps as packets have them: the last of each group of images first."""
    stamps = start + np.cumsum(gaps)
    return np.concatenate([np.roll(stamps[i : i + reorder + 1], 1) for i in range(0, len(stamps), reorder + 1)])


def jumps(pts: Numbers, back: float, ahead: float) -> list[int]:
    """Return where stamps start again in a file without keyframes."""
    return find_jumps(pts, np.zeros(len(pts), bool), back, ahead)


@given(steps, st.integers(0, 7))
def test_images_out_of_order_are_one_recording(gaps: list[int], reorder: int) -> None:
    """Even if they are seconds apart, as in a slide show."""
    pts = in_coding_order(gaps, reorder)
    assert jumps(pts, BACK, 8.0 * AHEAD) == [0]
    assert not find_outliers(pts, AHEAD * 8).any()


@given(st.lists(st.integers(60, 200), min_size=1, max_size=4), st.integers(0, 4), st.data())
def test_every_joined_recording_is_found(counts: list[int], reorder: int, data: st.DataObject) -> None:
    starts, parts = [0], []
    for count in counts:
        parts.append(in_coding_order([3600] * count, reorder, starts[-1]))
        away = data.draw(st.integers(20, 7200)) * SECOND * data.draw(st.sampled_from([-1, 1]))
        starts.append(starts[-1] + away)
    pts = np.concatenate(parts)
    wanted = np.cumsum([0, *counts[:-1]]).tolist()
    assert jumps(pts, BACK, AHEAD) == wanted
    assert not find_outliers(pts, AHEAD).any()
    with_unknown = pts.copy()
    with_unknown[wanted[-1] + 5] = NONE
    assert jumps(with_unknown, BACK, AHEAD) == wanted


@given(st.integers(20, 79), st.integers(0, 4), st.sampled_from([-3600, -60, 60, 3600]))
def test_one_wrong_stamp_is_left_out(at: int, reorder: int, by: int) -> None:
    pts = in_coding_order([3600] * 100, reorder, 10_000 * SECOND)
    pts[at] += by * SECOND
    assert np.flatnonzero(find_outliers(pts, AHEAD)).tolist() == [at]
    pts[at] = NONE
    assert jumps(pts, BACK, AHEAD) == [0]


def test_a_short_recording_begins_with_a_keyframe() -> None:
    pts = np.concatenate([np.arange(40), np.arange(5)]) * SECOND
    assert find_jumps(pts, np.arange(45) == 40, BACK, AHEAD) == [0, 40]
    assert jumps(pts, BACK, AHEAD) == [0]


@given(st.lists(st.integers(2, 40), min_size=2, max_size=4), st.integers(0, 4))
def test_a_keyframe_that_is_shown_earlier_begins_anew(counts: list[int], reorder: int) -> None:
    """However short the recordings are."""
    first = np.array([0])
    parts = [np.concatenate([first, in_coding_order([20_000] * (count - 1), reorder)]) for count in counts]
    pts, begins = np.concatenate(parts), np.cumsum([0, *counts[:-1]])
    assert find_jumps(pts, np.isin(np.arange(len(pts)), begins), BACK, AHEAD) == begins.tolist()


def test_files_of_few_packets() -> None:
    for count in range(4):
        assert jumps(np.arange(count), BACK, AHEAD) == [0]
        assert jumps(np.full(count, NONE), BACK, AHEAD) == [0]
