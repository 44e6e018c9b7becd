"""Put the outputs of overlapping clips together to those of a half, clip after clip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.settings import ClipConfig
from spotter.types import Arrays


class Stitcher:
    """Take weighted means of overlapping clips; the same calls in the same order give the same bits.

    length : T, anchors in the half
    weights : (L,) weight of each position in a clip, see ``triangle`` and ``flat``
    averaged : average where clips overlap; else the first clip counts there
    """

    def __init__(self, length: int, weights: NDArray[np.float64], averaged: bool = True) -> None:
        self.length, self.averaged = length, averaged
        self.weights = np.asarray(weights, np.float64)
        self._total = np.zeros(length)
        self._sums: dict[str, NDArray[np.float64]] = {}

    def add(self, start: int, arrays: Mapping[str, NDArray[np.floating]]) -> None:
        """Add a clip whose first position is anchor ``start``; what lies outside the half is left out.

        arrays : (L, D) each, by name; the same names in every clip of the half

        Raises UserError where there is one row for the whole clip, as of networks of windows.
        """
        first, last = max(0, -start), min(len(self.weights), self.length - start)
        if first >= last:
            return
        if any(len(array) != len(self.weights) for array in arrays.values()):
            raise UserError("clips.eval_len: a clip of this length is one window of this model; give more frames")
        if not self._sums:
            self._sums = {name: np.zeros((self.length, array.shape[1])) for name, array in arrays.items()}
        if arrays.keys() != self._sums.keys():
            raise RuntimeError(f"some clips of a half have {', '.join(self._sums)}, others {', '.join(arrays)}")
        clip, half = slice(first, last), slice(start + first, start + last)
        weights = self.weights[clip] if self.averaged else self.weights[clip] * (self._total[half] == 0)
        self._total[half] += weights
        for name, array in arrays.items():
            self._sums[name][half] += weights[:, None] * array[clip]

    def result(self) -> Arrays:
        """Return the half's arrays, (T, D) float32 each; raises RuntimeError where no clip covers an anchor."""
        uncovered = np.flatnonzero(self._total <= 0)
        if len(uncovered) or not self._sums:
            where = f", the first at {uncovered[0]}" if len(uncovered) else ""
            raise RuntimeError(f"no clip covers {len(uncovered)} of {self.length} anchors{where}")
        return {name: (total / self._total[:, None]).astype(np.float32) for name, total in self._sums.items()}


def triangle(length: int) -> NDArray[np.float64]:
    """Return (length,) weights that fall linearly from the middle and stay above zero at the ends."""
    return np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)) / ((length + 1) / 2)


def flat(length: int, margin: int = 0) -> NDArray[np.float64]:
    """Return (length,) weights of one, but zero for ``margin`` positions at each end."""
    weights = np.zeros(length)
    weights[margin : length - margin] = 1
    return weights


def clip_weights(clips: ClipConfig, upsample: int) -> NDArray[np.float64]:
    """Return the weight of each anchor of an evaluation clip where clips overlap."""
    if clips.overlap == 0:
        return flat(clips.eval_len * upsample, clips.margin * upsample)
    inner = triangle((clips.eval_len - 2 * clips.margin) * upsample)
    return np.pad(inner, clips.margin * upsample)
