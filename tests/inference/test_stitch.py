"""Stitched scores are weighted means of the clips that cover an anchor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.errors import UserError
from spotter.inference.stitch import Stitcher, flat, triangle


def test_overlapping_clips_are_averaged_by_weight() -> None:
    stitcher = Stitcher(4, np.array([1.0, 3.0]))
    for start, value in enumerate((1.0, 2.0, 3.0)):
        stitcher.add(start, {"a": np.full((2, 1), value, np.float32), "b": np.full((2, 1), -value, np.float32)})
    arrays = stitcher.result()
    np.testing.assert_allclose(arrays["a"][:, 0], [1, (3 * 1 + 2) / 4, (3 * 2 + 3) / 4, 3])
    np.testing.assert_array_equal(arrays["b"], -arrays["a"])
    assert arrays["a"].dtype == np.float32


@given(st.integers(1, 40), st.integers(1, 12), st.data())
def test_clips_cut_from_a_half_give_the_half_back(length: int, clip: int, data: st.DataObject) -> None:
    half = np.arange(2 * length, dtype=np.float32).reshape(length, 2)
    padded = np.pad(half, ((clip, clip), (0, 0)), constant_values=1e6)
    stride = data.draw(st.integers(1, clip))
    stitcher = Stitcher(length, triangle(clip))
    for start in range(-data.draw(st.integers(0, clip - 1)), length, stride):
        stitcher.add(start, {"features": padded[start + clip : start + 2 * clip]})
    np.testing.assert_allclose(stitcher.result()["features"], half, rtol=1e-6)


def test_one_row_for_a_whole_clip_is_refused() -> None:
    """As of a network of windows, whose evaluation clip is one of them."""
    with pytest.raises(UserError, match=r"clips\.eval_len"):
        Stitcher(9, flat(3)).add(0, {"a": np.ones((1, 2))})


def test_clips_outside_the_half_and_half_precision_are_accepted() -> None:
    stitcher = Stitcher(3, flat(5))
    stitcher.add(-5, {"a": np.full((5, 1), np.nan)})
    stitcher.add(3, {"a": np.full((5, 1), np.nan)})
    stitcher.add(-1, {"a": np.arange(5, dtype=np.float16)[:, None]})
    assert stitcher.result()["a"][:, 0].tolist() == [1, 2, 3]


def test_uncovered_anchors_are_an_error() -> None:
    stitcher = Stitcher(6, flat(4, margin=1))
    with pytest.raises(RuntimeError, match="no clip covers 6 of 6 anchors, the first at 0"):
        stitcher.result()
    stitcher.add(-1, {"a": np.zeros((4, 2))})
    with pytest.raises(RuntimeError, match="no clip covers 4 of 6 anchors, the first at 2"):
        stitcher.result()


def test_clips_must_have_the_same_arrays() -> None:
    stitcher = Stitcher(6, flat(4))
    stitcher.add(0, {"logits": np.zeros((4, 2))})
    with pytest.raises(RuntimeError, match="displacement"):
        stitcher.add(2, {"logits": np.zeros((4, 2)), "displacement": np.zeros((4, 2))})


@pytest.mark.parametrize("length", [1, 2, 5, 8])
def test_weights(length: int) -> None:
    weights = triangle(length)
    assert weights.shape == (length,)
    assert np.all(weights > 0)
    assert weights.max() <= 1
    np.testing.assert_array_equal(weights, weights[::-1])
    assert flat(length, length).sum() == 0
    assert flat(length).sum() == length


def test_without_blending_the_first_clip_counts() -> None:
    """Clips side by side, the last of which had to move back, do not water one another down."""
    stitcher = Stitcher(5, flat(4, 1), averaged=False)
    for start, value in ((-1, 1.0), (1, 2.0), (2, 3.0)):
        stitcher.add(start, {"a": np.full((4, 1), value, np.float32), "b": np.full((4, 1), -value, np.float32)})
    arrays = stitcher.result()
    assert arrays["a"][:, 0].tolist() == [1, 1, 2, 2, 3]
    assert arrays["b"][:, 0].tolist() == [-1, -1, -2, -2, -3]
