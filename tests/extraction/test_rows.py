"""Rows are pooled from the frames around their time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.extraction.rows import pool_rows


@given(
    count=st.integers(1, 40),
    rate=st.fractions(Fraction(1, 2), 30, max_denominator=12),
    fps=st.fractions(Fraction(1, 4), 10, max_denominator=6),
    context=st.sampled_from([0.0, 0.4, 1.0, 5.0]),
)
def test_a_row_is_the_mean_of_the_frames_around_its_time(
    count: int, rate: Fraction, fps: Fraction, context: float
) -> None:
    frames = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    rows = pool_rows(frames, rate, fps, 7, context)
    reach = int(Fraction(context) * rate / 2)
    for i, row in enumerate(rows):
        at = i / fps * rate  # the frame at the time of the row, and of two equally near the earlier
        centre = -((-2 * at + 1) // 2)
        around = np.clip(np.arange(centre - reach, centre + reach + 1), 0, count - 1).astype(int)
        assert abs(centre - at) <= Fraction(1, 2)
        assert row == pytest.approx(frames[around].mean(0), abs=1e-5)


def test_frames_that_could_not_be_read_do_not_count() -> None:
    frames = np.arange(10, dtype=np.float32)[:, None]
    frames[[3, 4, 5, 6, 7]] = np.nan
    alone = pool_rows(frames, Fraction(1), Fraction(1), 10)
    assert np.isnan(alone[3:8]).all()
    rows = pool_rows(frames, Fraction(1), Fraction(1), 10, context=2)
    assert rows[:, 0] == pytest.approx([1 / 3, 1, 1.5, 2, np.nan, np.nan, np.nan, 8, 8.5, 26 / 3], nan_ok=True)


def test_attention_prefers_frames_that_look_alike() -> None:
    first, second = np.array([1.0, 2, 3, 4], np.float32), np.array([4.0, -3, 2, 8], np.float32)
    frames = np.stack([first] * 3 + [second] * 3)
    rows = pool_rows(frames, Fraction(1), Fraction(1), 6, 4, "attention")
    plain = pool_rows(frames, Fraction(1), Fraction(1), 6, 4)
    assert np.linalg.norm(rows[2] - first) < np.linalg.norm(plain[2] - first)
    assert rows[0] == pytest.approx(first, abs=1e-5), "all around it are alike"
