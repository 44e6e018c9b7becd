"""The context of a spot is what a slow look at every frame, class and neighbouring pair of spots says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.errors import UserError
from spotter.models.calf.targets import ContextTargets
from spotter.types import ClipFrames, Spots

MARGINS = [[-10.0, -5.0, 4.0, 9.0], [-3.0, -1.0, 2.0, 2.5], [-40.0, -20.0, 10.0, 20.0]]
CLASSES = len(MARGINS)


def spots_at(*spots: tuple[int, float]) -> Spots:
    """Return spots of (class, seconds)."""
    labels = np.array([label for label, _ in spots], np.int64)
    return Spots(labels, np.array([time for _, time in spots], float), np.ones(len(spots), bool))


def drawn() -> st.SearchStrategy[Spots]:
    """Draw spots at tenths of seconds, in any order, some outside every clip."""
    one = st.tuples(st.integers(0, CLASSES - 1), st.integers(-50, 900).map(lambda tenth: tenth / 10))
    return st.lists(one, max_size=12).map(lambda spots: spots_at(*spots))


def slow_shift(times: list[float], at: float, margins: list[float]) -> float:
    """Return the seconds from the spot that governs the moment ``at``, for the spots of one class."""
    first, second, third, last = margins
    if not times:
        return first
    since = min((at - time for time in times if time <= at), default=math.inf)
    until = max((at - time for time in times if time > at), default=-math.inf)
    if since == math.inf:
        return until
    if until == -math.inf or since < third:
        return since
    if since >= last:
        return until
    if until <= first:
        return since
    return since if (since - third) / (last - third) < (second - until) / (second - first) else until


@given(drawn(), st.integers(-20, 80), st.integers(5, 20), st.sampled_from([1.0, 2.0, 25 / 12]), st.integers(0, 2))
def test_shifts_equal_a_slow_look_at_every_frame(
    spots: Spots, start: int, clip_len: int, fps: float, neutral: int
) -> None:
    made = ContextTargets(clip_len, MARGINS, 5, neutral)(spots, ClipFrames(start, clip_len, fps, 0.5))["shift"]
    assert (made.shape, made.dtype) == ((clip_len, CLASSES), np.float32)
    for frame in range(clip_len):
        for label, margins in enumerate(MARGINS):
            if neutral <= frame < clip_len - neutral:
                times = [float(time) for time in spots.time[spots.label == label]]
                expected = slow_shift(times, (start + frame) / fps + 0.5, margins)
                if margins[0] < expected < margins[3]:
                    assert made[frame, label] == np.float32(expected)
                else:
                    assert made[frame, label] in (margins[0], margins[3]), "beyond is beyond"
            else:
                assert margins[1] <= made[frame, label] < 0, "nothing is asked there"


@pytest.mark.parametrize(
    ("frame", "governs"),
    [
        (12, "last"),  # 2 s after: within K3
        (16, "last"),  # 6 s after, 2/5 on the way out; the next one in 14 s is beyond K1
        (18, "last"),  # 8 s after; the next in 12 s
        (21, "next"),  # 11 s after, beyond K4
    ],
)
def test_the_last_spot_governs_until_the_next_one_does(frame: int, governs: str) -> None:
    targets = ContextTargets(40, MARGINS, 5, 0)
    shift = targets(spots_at((0, 10), (0, 30)), ClipFrames(0, 40, 1.0, 0.0))["shift"][frame, 0]
    assert shift == {"last": frame - 10, "next": frame - 30}[governs]


def test_between_two_spots_the_less_advanced_demand_governs() -> None:
    targets = ContextTargets(40, MARGINS, 5, 0)
    shift = targets(spots_at((0, 10), (0, 23)), ClipFrames(0, 40, 1.0, 0.0))["shift"][:, 0]
    # Frame 15 is 1/5 on its way from K3 to K4, and -8 is 3/5 from K2 to K1; at 16 both are 2/5.
    assert shift[13:19].tolist() == [3, 4, 5, -7, -6, -5]


@given(drawn(), st.integers(-20, 80), st.integers(5, 20), st.sampled_from([1.0, 2.0]), st.integers(0, 2))
def test_slots_list_the_first_spots_of_the_middle(
    spots: Spots, start: int, clip_len: int, fps: float, neutral: int
) -> None:
    made = ContextTargets(clip_len, MARGINS, 3, neutral)(spots, ClipFrames(start, clip_len, fps, 0.5))["slots"]
    assert (made.shape, made.dtype) == ((3, 2 + CLASSES), np.float32)
    position = (spots.time - 0.5) * fps - start
    order = sorted(range(len(spots)), key=lambda i: position[i])
    expected = [i for i in order if neutral <= position[i] < clip_len - neutral][:3]
    for row, spot in zip(made, expected, strict=False):
        assert row[0] == 1
        assert row[1] == pytest.approx(min(position[spot] / (clip_len - 1), 1), abs=1e-6)
        assert row[2:].tolist() == [float(label == spots.label[spot]) for label in range(CLASSES)]
    assert not made[len(expected) :].any()


def test_rates_are_shares_of_frames_with_a_demand_for_a_high_score() -> None:
    rates = ContextTargets(20, MARGINS).class_prior(np.array([3, 0, 1]), 1000, 2.0)
    np.testing.assert_allclose(rates, [0.024, 0, 0.02])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"margins": [[-1, -2, 3, 4]]}, r"model\.head\.margins: expected four .* found \[-1, -2, 3, 4\]"),
        ({"margins": [[-2, -1, 3]]}, r"model\.head\.margins: .* found \[-2, -1, 3\]"),
        ({"margins": [[-2, None, 3, 4]]}, r"model\.head\.margins: .* found \[-2, None, 3, 4\]"),
        ({"clip_len": 8, "neutral": 4}, r"model\.head\.neutral: .* model\.network\.receptive_field"),
    ],
)
def test_wrong_settings_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        ContextTargets(**{"clip_len": 20, "margins": MARGINS, **arguments})
