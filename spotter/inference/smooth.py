"""Confidences over time: averaged by a Gaussian, and their local maxima."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


def smooth(confidence: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """Average confidences (T, K) over time by a Gaussian, mirrored at both ends; ``deviation`` is in cells.

    It is cut at four deviations, as in scipy's ``gaussian_filter``.
    """
    radius = int(4 * deviation + 0.5)
    if radius == 0:
        return confidence
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    mirrored = np.pad(confidence, ((radius, radius), (0, 0)), mode="symmetric")
    return sliding_window_view(mirrored, 2 * radius + 1, axis=0) @ (weights / weights.sum())


def local_maxima(confidence: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which cells (T, K) are higher than both neighbours, of equal ones the middle; never the first and last."""
    walled = np.pad(confidence, ((1, 1), (0, 0)), constant_values=np.inf).T
    values = walled.ravel()
    first = np.flatnonzero(np.append(True, values[1:] != values[:-1]))  # of each run of equal values
    last = np.append(first[1:], len(values)) - 1
    level = values[first]
    higher = np.diff(level) > 0
    peak = np.append(False, higher) & np.append(~higher, False)
    found = np.zeros(walled.shape, bool)
    found.flat[(first[peak] + last[peak]) // 2] = True
    return found[:, 1:-1].T
