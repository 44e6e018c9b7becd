"""Smoothed confidences and their peaks are those of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from scipy.signal import find_peaks

from spotter.inference.decode import decode
from spotter.inference.smooth import local_maxima, smooth
from spotter.io.scores import Scores
from spotter.settings import Postprocess
from tests.helpers.published import expected

LEVELS = st.sampled_from([0.0, 0.25, 0.5, 0.75])


@given(arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=LEVELS), st.floats(0.1, 5))
def test_they_are_those_of_scipy(confidence: np.ndarray, deviation: float) -> None:
    for column, ours, peaks in zip(
        confidence.T, smooth(confidence, deviation).T, local_maxima(confidence).T, strict=True
    ):
        np.testing.assert_allclose(ours, gaussian_filter(column, deviation), atol=1e-12)
        assert np.flatnonzero(peaks).tolist() == find_peaks(column)[0].tolist()


def test_peaks_are_those_of_the_reference() -> None:
    said, i = expected("baikulov")["post_processing"], np.arange(200)
    bumps = ((0.9, 40, 4), (0.8, 52, 4), (0.35, 90, 3), (0.7, 120, 6), (0.95, 2, 3), (0.5, 197, 5))
    confidence = np.clip(sum(height * np.exp(-(((i - at) / width) ** 2)) for height, at, width in bumps), 0, 1)
    with np.errstate(divide="ignore"):
        logits = np.log(confidence / (1 - confidence))[:, None]
    found = decode(Scores(logits, None, 25.0), Postprocess("peaks", 28 / 25, 0.2, 3 / 25), 25)
    assert (25 * found.time).tolist() == pytest.approx(said["peaks"])
    np.testing.assert_allclose(found.confidence, said["confidences"], atol=1e-5)
