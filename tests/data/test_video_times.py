"""Rules of times: which image a frame shows, and how many frames a half has."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.video.times import Times

RATES = st.sampled_from(["1", "2", "25/12", "25/2", "25", "30000/1001", "30", "50", "60000/1001"]).map(Fraction)
UNITS = st.sampled_from([Fraction(1, d) for d in (1000, 12800, 30000, 90000, 1_000_000)])


def nearest_by_hand(times: list[Fraction], frame: int, fps: Fraction) -> int:
    return min(range(len(times)), key=lambda n: (abs(times[n] - frame / fps), n))


@given(st.lists(st.integers(1, 5000), max_size=60), st.integers(-(10**6), 10**10), UNITS, RATES, st.data())
def test_nearest_image_of_stamped_times(
    gaps: list[int], first: int, unit: Fraction, fps: Fraction, data: st.DataObject
) -> None:
    stamps = np.cumsum([first, *gaps])
    times = Times.stamped(stamps, unit)
    frames = data.draw(st.lists(st.integers(0, 2 * times.frames(fps)), min_size=1, max_size=20).map(sorted))
    exact = [int(stamp - first) * unit for stamp in stamps]
    assert times.nearest(frames, fps).tolist() == [nearest_by_hand(exact, frame, fps) for frame in frames]


@given(st.integers(1, 200), RATES, RATES)
def test_regular_times_are_stamped_times(count: int, rate: Fraction, fps: Fraction) -> None:
    regular, stamped = Times.regular(count, rate), Times.stamped(np.arange(count), 1 / rate)
    frames = range(2 * regular.frames(fps))
    assert regular.nearest(frames, fps).tolist() == stamped.nearest(frames, fps).tolist()
    assert (regular.frames(fps), regular.fps) == (stamped.frames(fps), stamped.fps)


@given(st.integers(2, 5000))
def test_lengths_at_the_rates_of_e2e_spot(count: int) -> None:
    times = Times.regular(count, Fraction(25))
    assert times.frames(Fraction(25)) == count
    assert times.frames(Fraction(25, 12)) == -(-count // 12)
    assert times.nearest(range(times.frames(Fraction(25, 12))), Fraction(25, 12)).tolist() == [*range(0, count, 12)]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=60), UNITS, RATES)
def test_frames_end_with_the_last_image(gaps: list[int], unit: Fraction, fps: Fraction) -> None:
    times = Times.stamped(np.cumsum([0, *gaps]), unit)
    middle = sorted(gaps)[(len(gaps) - 1) // 2]
    usual = [gap for gap in gaps if abs(gap - middle) <= 1]
    frames, half = times.frames(fps), Fraction(sum(usual), len(usual)) * unit / 2
    last = sum(gaps) * unit
    assert (frames - 1) / fps <= last + half < frames / fps
    numbers = times.nearest(range(frames), fps)
    assert (np.diff(numbers) >= 0).all()


def test_a_single_image_is_one_frame() -> None:
    assert Times.stamped(np.array([77]), Fraction(1, 1000)).frames(Fraction(25)) == 1
    assert Times.regular(1, Fraction(2)).frames(Fraction(25)) == 1


USUAL = ["24", "24000/1001", "25", "30000/1001", "30", "48", "50", "60000/1001", "60", "120000/1001"]


@given(st.sampled_from(USUAL).map(Fraction), st.integers(500, 20_000), UNITS)
def test_rounded_stamps_have_the_rate_and_the_frames_of_the_images(rate: Fraction, count: int, unit: Fraction) -> None:
    """Matroska files round to milliseconds: images of 60 a second lie 16 or 17 apart."""
    ticks = np.array([round(number / rate / unit) for number in range(count)])
    times = Times.stamped(ticks, unit)
    if times.ticks is not None:  # else the unit holds the rate exactly
        assert times.fps == rate
        assert times.frames(rate) == count
        assert times.nearest(range(count), rate).tolist() == list(range(count))
        assert abs(times.duration - count / rate) <= 2 * unit
