"""Put the outputs of overlapping clips together to the scores of a half, clip after clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spotter.io.scores import Scores
from spotter.settings import ClipConfig


class Stitcher:
    """Take weighted means of overlapping clips; the same calls in the same order give the same bits.

    length : T, anchors in the half
    weights : (L,) weight of each position in a clip, see ``triangle`` and ``flat``
    blended : average where clips overlap; else what the first clip says counts
    """

    def __init__(self, length: int, weights: NDArray[np.float64], blended: bool = True) -> None:
        self.length, self.blended = length, blended
        self.weights = np.asarray(weights, np.float64)
        self._total = np.zeros(length)
        self._logits: NDArray[np.float64] | None = None
        self._displacement: NDArray[np.float64] | None = None

    def add(self, start: int, logits: NDArray[np.floating], displacement: NDArray[np.floating] | None = None) -> None:
        """Add a clip whose first position is anchor ``start``; what lies outside the half is left out.

        logits : (L, K)
        displacement : (L, K), in all clips or in none
        """
        first, last = max(0, -start), min(len(self.weights), self.length - start)
        if first >= last:
            return
        if self._logits is None:
            self._logits = np.zeros((self.length, logits.shape[1]))
            self._displacement = None if displacement is None else np.zeros_like(self._logits)
        if (displacement is None) != (self._displacement is None):
            raise RuntimeError("some clips of a half have displacements and some have none")
        inside, there = slice(first, last), slice(start + first, start + last)
        weights = self.weights[inside] if self.blended else self.weights[inside] * (self._total[there] == 0)
        self._total[there] += weights
        self._logits[there] += weights[:, None] * logits[inside]
        if displacement is not None and self._displacement is not None:
            self._displacement[there] += weights[:, None] * displacement[inside]

    def result(self, fps: float, offset: float = 0.0) -> Scores:
        """Return the half's scores, ``fps`` anchors a second from ``offset`` seconds on."""
        bare = np.flatnonzero(self._total <= 0)
        if len(bare) or self._logits is None:
            where = f", the first at {bare[0]}" if len(bare) else ""
            raise RuntimeError(f"no clip covers {len(bare)} of {self.length} anchors{where}")
        total = self._total[:, None]
        displacement = None if self._displacement is None else (self._displacement / total).astype(np.float32)
        return Scores((self._logits / total).astype(np.float32), displacement, fps, offset)


def triangle(length: int) -> NDArray[np.float64]:
    """Return (length,) weights that fall linearly from the middle and stay above zero at the ends."""
    return np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)) / ((length + 1) / 2)


def flat(length: int, margin: int = 0) -> NDArray[np.float64]:
    """Return (length,) weights of one, but zero for ``margin`` positions at each end."""
    weights = np.zeros(length)
    weights[margin : length - margin] = 1
    return weights


def clip_weights(clips: ClipConfig, upsample: int) -> NDArray[np.float64]:
    """Return what each anchor of an evaluation clip weighs where clips overlap."""
    if clips.overlap == 0:
        return flat(clips.eval_len * upsample, clips.margin * upsample)
    inner = triangle((clips.eval_len - 2 * clips.margin) * upsample)
    return np.pad(inner, clips.margin * upsample)
