"""From a vector for each frame to a row for each time step: the frames around it, pooled."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from spotter.data.check import find_broken

Floats = NDArray[np.float32]
POOLS = ("mean", "attention")


def pool_rows(
    frames: Floats, rate: Fraction, fps: Fraction, count: int, context: float = 0.0, pool: str = "mean"
) -> Floats:
    """Return rows (count, D), row i of the frames within ``context`` / 2 seconds of i / ``fps``.

    frames : (N, D) of frames at ``rate`` per second, NaN where one could not be read
    pool : ``mean`` of them, or ``attention``: weighted by the softmax of their scalar products with the frame in the
        middle, all normalised to mean 0 and variance 1, over the square root of D

    Before the first and after the last frame these two are repeated. Frames that could not be read do not count; a row
    without any other is NaN.
    """
    ratio = rate / fps
    centre = -((ratio.denominator - 2 * np.arange(count) * ratio.numerator) // (2 * ratio.denominator))
    reach = int(Fraction(context) * rate / 2)
    if not reach:
        return frames[centre.clip(0, len(frames) - 1)]
    readable = ~find_broken(frames)
    around = [(centre + step).clip(0, len(frames) - 1) for step in range(-reach, reach + 1)]
    weights = _attention(frames, centre.clip(0, len(frames) - 1), around) if pool == "attention" else None
    known = np.where(readable[:, None], frames, 0)
    total, norm = np.zeros((count, frames.shape[1])), np.zeros(count)
    for number, at in enumerate(around):
        weight = readable[at] * (1.0 if weights is None else weights[number])
        total += weight[:, None] * known[at]
        norm += weight
    with np.errstate(invalid="ignore"):
        return (total / norm[:, None]).astype(np.float32)


def _attention(frames: Floats, centre: NDArray[np.int64], around: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Return weights (frames around, rows), before they are normalised."""
    known = np.nan_to_num(frames)
    normal = (known - known.mean(1, keepdims=True)) / (known.std(1, keepdims=True) + 1e-6)
    scores = np.stack([(normal[centre] * normal[at]).sum(1) for at in around]) / np.sqrt(frames.shape[1])
    return np.exp(scores - scores.max(0))
