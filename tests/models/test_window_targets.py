"""Targets of windows say where a spot lies as a slow look at every window says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.models.blocks.window import WindowTargets
from spotter.models.rms import OffsetTargets
from spotter.models.ste import PositionTargets
from spotter.types import ClipFrames, Spots

CLASSES = 3
Drawn = list[tuple[int, float]]

drawn_spots = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(-5_000, 60_000)), max_size=8).map(
    lambda drawn: [(label, time / 1000) for label, time in drawn]
)
starts, windows = st.integers(-20, 60), st.integers(1, 9)
rates, offsets = st.sampled_from([1.0, 2.0, 25 / 12]), st.sampled_from([0.0, 0.5, -1.25])


def columns(drawn: Drawn) -> Spots:
    label, time = zip(*drawn, strict=True) if drawn else ((), ())
    return Spots(np.array(label, np.int64), np.array(time, np.float64), np.ones(len(drawn), bool))


def slow_places(drawn: Drawn, start: int, window: int, fps: float, offset: float) -> list[tuple[int, float]]:
    """Return class and place, in frames from the window's start, of the spots of one window."""
    begin = start - (0.5 if window % 2 else 0.0)  # an odd window is centred on its middle row
    places = [(label, (time - offset) * fps - begin) for label, time in drawn]
    return [(label, place) for label, place in places if 0 <= place < window]


@given(drawn_spots, starts, windows, st.sampled_from([0, 10, 13]), rates, offsets)
def test_a_window_has_the_class_and_place_of_the_spot_nearest_its_centre(
    drawn: Drawn, start: int, window: int, longer: int, fps: float, offset: float
) -> None:
    clip_len = longer or window
    made = OffsetTargets(CLASSES, window)(columns(drawn), ClipFrames(start, clip_len, fps, offset))
    count = longer or 1
    assert {key: (value.shape, value.dtype.name) for key, value in made.items()} == {
        "classes": ((count, 1 + CLASSES), "float32"),
        "offset": ((count,), "float32"),
        "moment": ((1,), "float32"),
    }
    assert (made["classes"].sum(1) == 1).all()
    for n in range(count):
        first = start + n - window // 2 if longer else start
        places = slow_places(drawn, first, window, fps, offset)
        label, place = int(made["classes"][n].argmax()), float(made["offset"][n]) * window
        if not places:
            assert (label, place) == (0, 0)
            continue
        nearest = min(abs(place - window / 2) for _, place in places)
        assert any(
            label == 1 + own and abs(place - at) < 1e-4 and abs(abs(at - window / 2) - nearest) < 1e-6
            for own, at in places
        )
    if longer or not places:
        assert np.isnan(made["moment"][0])
    else:
        assert made["moment"][0] == pytest.approx(place - (0.5 if window % 2 else 0.0), abs=1e-3)


@given(drawn_spots, starts, windows, st.sampled_from([0, 10, 13]), rates, offsets)
def test_positions_are_those_that_hold_spots(
    drawn: Drawn, start: int, window: int, longer: int, fps: float, offset: float
) -> None:
    clip_len = longer or window
    made = PositionTargets(CLASSES, window)(columns(drawn), ClipFrames(start, clip_len, fps, offset))
    plain = WindowTargets(CLASSES, window)(columns(drawn), ClipFrames(start, clip_len, fps, offset))
    np.testing.assert_array_equal(made["classes"], plain["classes"])
    assert (made["positions"].shape, made["positions"].dtype.name) == ((longer or 1, window), "float32")
    for n, marked in enumerate(made["positions"]):
        places = slow_places(drawn, start + n - window // 2 if longer else start, window, fps, offset)
        if all(abs(place - round(place)) > 1e-6 for _, place in places):  # else rounding may decide
            assert set(np.flatnonzero(marked)) == {int(place) for _, place in places}


@pytest.mark.parametrize("window", [8, 7])
def test_the_frame_in_the_middle_moved_by_the_place_lands_on_the_spot(window: int) -> None:
    """What heads do with a place, for windows around every frame of a stretch, of both parities."""
    spots = Spots(np.array([1]), np.array([10.3]), np.ones(1, bool))
    fps, start = 2.0, 11
    frames = start + np.arange(20)
    made = OffsetTargets(CLASSES, window)(spots, ClipFrames(start, 20, fps, 0.0))
    held = made["classes"][:, 0] == 0
    assert held.sum() == window
    moved = frames[held] + (made["offset"][held] - 0.5) * window
    np.testing.assert_allclose(moved / fps, 10.3, rtol=1e-6)
    positions = PositionTargets(CLASSES, window)(spots, ClipFrames(start, 20, fps, 0.0))["positions"][held]
    moved = frames[held] + positions.argmax(1) + 0.5 - window / 2
    assert (np.abs(moved / fps - 10.3) <= 0.5 / fps).all(), "half a frame at most"


def test_the_moment_is_counted_from_the_clip_s_start() -> None:
    spots = Spots(np.array([0, 2]), np.array([4.25, 9.0]), np.ones(2, bool))
    made = OffsetTargets(CLASSES, 8)(spots, ClipFrames(4, 8, 2.0, 0.5))
    assert made["moment"].tolist() == [3.5]
    assert made["offset"].tolist() == [3.5 / 8]
    assert made["classes"].tolist() == [[0, 1, 0, 0]]
