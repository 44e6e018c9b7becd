"""Targets say of every anchor what a slow look at all spots says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.errors import UserError
from spotter.models.blocks.dense import SHAPES, DenseTargets, nearest
from spotter.models.blocks.frame import FrameTargets
from spotter.models.blocks.window import WindowTargets
from spotter.types import ClipFrames, Spots

CLASSES = 3
RATES = st.sampled_from([1.0, 2.0, 25 / 12, 25.0])
OFFSETS = st.sampled_from([0.0, 0.5, -1.25])


def spots() -> st.SearchStrategy[Spots]:
    """Draw spots at whole milliseconds, in any order, some outside every clip."""
    one = st.tuples(st.integers(0, CLASSES - 1), st.integers(-5_000, 90_000))
    return st.lists(one, max_size=12).map(
        lambda drawn: Spots(
            np.array([label for label, _ in drawn], np.int64),
            np.array([time / 1000 for _, time in drawn]),
            np.ones(len(drawn), bool),
        )
    )


@given(spots(), st.integers(-20, 80), st.integers(1, 40), st.sampled_from([0.25, 1.0, 2.0]))
def test_the_nearest_spot_is_that_of_the_definition_to_the_bit(
    spots: Spots, start: int, length: int, rate: float
) -> None:
    """The last of those that are equally near counts."""
    anchors, position = np.arange(start, start + length), np.round(4 * spots.time) / 4 * rate
    expected = np.full((length, CLASSES), np.inf)
    for spot, label in zip(position, spots.label, strict=True):
        column, distance = expected[:, label], spot - anchors
        column[:] = np.where(np.abs(distance) <= np.abs(column), distance, column)
    assert np.array_equal(nearest(position, spots.label, anchors, CLASSES), expected)


@given(
    spots=spots(),
    start=st.integers(-20, 80),
    clip_len=st.integers(1, 20),
    fps=RATES,
    offset=OFFSETS,
    upsample=st.integers(1, 3),
    radius=st.sampled_from([0.0, 0.5, 2.0, 9.0]),
    reach=st.sampled_from([0.5, 6.0]),
)
def test_dense_targets_equal_a_slow_look_at_every_anchor(
    spots: Spots, start: int, clip_len: int, fps: float, offset: float, upsample: int, radius: float, reach: float
) -> None:
    made = DenseTargets(CLASSES, radius, reach, upsample)(spots, ClipFrames(start, clip_len, fps, offset))
    assert {key: (value.shape, value.dtype.name) for key, value in made.items()} == {
        "confidence": ((clip_len * upsample, CLASSES), "float32"),
        "displacement": ((clip_len * upsample, CLASSES), "float32"),
        "mask": ((clip_len * upsample, CLASSES), "bool"),
    }
    edge = 1e-6  # seconds within which rounding may decide
    for anchor in range(clip_len * upsample):
        at = offset + (start + anchor / upsample) / fps
        for label in range(CLASSES):
            away = [float(time) - at for time in spots.time[spots.label == label]]
            nearest = min(map(abs, away), default=np.inf)
            cell = anchor, label
            if abs(nearest - radius) > edge:
                assert made["confidence"][cell] == (nearest <= radius)
            if abs(nearest - reach) > edge:
                assert made["mask"][cell] == (nearest <= reach)
            if made["mask"][cell]:
                moved = float(made["displacement"][cell]) / (fps * upsample)
                assert min(abs(moved - each) for each in away if abs(abs(each) - nearest) <= edge) < 1e-4
            else:
                assert made["displacement"][cell] == 0


@pytest.mark.parametrize(
    ("shape", "radius", "expected"),
    [("linear", 2.0, [0, 0, 0.5, 1, 0.5, 0, 0]), ("gaussian", 1.0, [0, 0.135, 0.607, 1, 0.607, 0.135, 0])],
)
def test_confidence_falls_with_the_distance_to_a_spot(shape: str, radius: float, expected: list[float]) -> None:
    """A Gaussian ends at three deviations."""
    spots = Spots(np.array([0]), np.array([3.0]), np.array([True]))
    made = DenseTargets(1, radius, 0.5, shape=shape)(spots, ClipFrames(0, 7, 1.0, 0.0))["confidence"][:, 0]
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, atol=1e-3)


def test_an_anchor_moved_by_its_displacement_lands_on_the_spot() -> None:
    spots = Spots(np.array([0]), np.array([10.3]), np.array([True]))
    made = DenseTargets(1, 2.0, 6.0, 2)(spots, ClipFrames(5, 10, 1.0, 0.5))
    anchors = 0.5 + np.arange(10, 30) / 2  # seconds
    near = made["mask"][:, 0]
    np.testing.assert_allclose(anchors[near] + made["displacement"][near, 0] / 2, 10.3, rtol=1e-6)
    assert near.sum() == 20
    assert made["confidence"].sum() == 8


@given(st.integers(0, 5), st.sampled_from([0.5, 2.0]), RATES, st.integers(1, 3), st.sampled_from(sorted(SHAPES)))
def test_the_expected_rate_is_the_share_that_is_marked(
    count: int, radius: float, fps: float, upsample: int, shape: str
) -> None:
    frames = round(200 * fps)
    times = np.array([20.0, 55.5, 90.1, 130.0, 170.3])[:count]  # apart, and away from the ends
    spots = Spots(np.zeros(count, np.int64), times, np.ones(count, bool))
    targets = DenseTargets(1, radius, 6.0, upsample, shape)
    marked = targets(spots, ClipFrames(0, frames, fps, 0.0))["confidence"].mean()
    told = targets.class_prior(np.array([count]), frames, fps)
    assert abs(told[0] - marked) <= count * 1.01 / (frames * upsample), "no more than an anchor a spot apart"


@given(spots(), st.integers(-20, 80), st.integers(1, 12), RATES, OFFSETS)
def test_a_window_holds_the_classes_that_occur_in_it(
    spots: Spots, start: int, window: int, fps: float, offset: float
) -> None:
    made = WindowTargets(CLASSES, window)(spots, ClipFrames(start, window, fps, offset))["classes"]
    assert (made.shape, made.dtype) == ((1, 1 + CLASSES), np.float32)
    np.testing.assert_array_equal(made[0], slow_window(spots, start, window, fps, offset))


@given(spots(), st.integers(-20, 80), st.integers(1, 9), st.integers(10, 20), RATES, OFFSETS)
def test_a_longer_clip_holds_a_window_centred_on_each_frame(
    spots: Spots, start: int, window: int, clip_len: int, fps: float, offset: float
) -> None:
    made = WindowTargets(CLASSES, window)(spots, ClipFrames(start, clip_len, fps, offset))["classes"]
    for frame in range(clip_len):
        expected = slow_window(spots, start + frame - window // 2, window, fps, offset)
        np.testing.assert_array_equal(made[frame], expected)


def slow_window(spots: Spots, start: int, window: int, fps: float, offset: float) -> list[int]:
    shift = 0.5 if window % 2 else 0.0  # an odd window is centred on its middle row
    found = {
        int(label)
        for label, time in zip(spots.label, spots.time, strict=True)
        if start - shift <= (time - offset) * fps < start + window - shift
    }
    return [not found, *(label in found for label in range(CLASSES))]


def test_windows_expect_a_class_as_often_as_windows_hold_a_spot() -> None:
    np.testing.assert_allclose(WindowTargets(CLASSES, 7).class_prior(np.array([0, 10]), 2700, 1.0), [0, 70 / 2700])


@given(spots(), st.integers(-20, 80), st.integers(1, 20), RATES, OFFSETS, st.integers(0, 3))
def test_frames_carry_the_last_spot_that_is_near(
    spots: Spots, start: int, clip_len: int, fps: float, offset: float, dilate: int
) -> None:
    made = FrameTargets(CLASSES, dilate)(spots, ClipFrames(start, clip_len, fps, offset))["classes"]
    assert (made.shape, made.dtype) == ((clip_len, 1 + CLASSES), np.float32)
    later = sorted(range(len(spots)), key=lambda i: spots.time[i])
    for frame in range(clip_len):
        own = 0
        for i in later:
            nearest = np.floor((spots.time[i] - offset) * fps + 0.5)
            if abs(start + frame - nearest) <= dilate:
                own = 1 + int(spots.label[i])
        assert made[frame].tolist() == [float(label == own) for label in range(1 + CLASSES)]


def test_a_spot_takes_its_nearest_frame_also_from_outside_the_clip() -> None:
    spots = Spots(np.array([0, 1, 2]), np.array([0.9, 3.4, 9.6]), np.ones(3, bool))
    frames = FrameTargets(CLASSES, 1)(spots, ClipFrames(2, 8, 1.0, 0.0))["classes"].argmax(1)
    assert frames.tolist() == [2, 2, 2, 0, 0, 0, 0, 3], "frames 2 to 9; the first spot's frames are 0 to 2"
    prior = FrameTargets(CLASSES, [0, 1, 3]).class_prior(np.array([0, 10, 10]), 700, 1.0)
    np.testing.assert_allclose(prior, [0, 30 / 700, 0.1])
    by_class = FrameTargets(CLASSES, [0, 1, 3])(spots, ClipFrames(2, 8, 1.0, 0.0))["classes"].argmax(1)
    assert by_class.tolist() == [2, 2, 2, 0, 0, 3, 3, 3], "the third class takes three frames on either side"
    for wrong in (-1, [1, 1], [0, 1, -1], 0.5):
        with pytest.raises(UserError, match="dilate"):
            FrameTargets(CLASSES, wrong)  # type: ignore[arg-type]
