"""From the scores of a half to its predictions: displacement, then hard or soft non-maximum suppression."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spotter.io.scores import Scores
from spotter.settings import Postprocess
from spotter.types import HalfPredictions, metric_frame

__all__ = ["Grid", "Postprocess", "displace", "spot", "suppress"]

DEAD = -1.0


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Hold the displaced anchors of one half: in each cell, one anchor's width, the best that moved there.

    confidence : (T, K) float64, -1 where nothing moved to
    time : (T, K) float64, the exact seconds of that anchor, whole milliseconds
    fps : cells per second
    """

    confidence: NDArray[np.float64]
    time: NDArray[np.float64]
    fps: float


def spot(scores: Scores, postprocess: Postprocess, metric_fps: int) -> HalfPredictions:
    """Return the half's predictions by time, at most one for a class and frame of the metric."""
    return suppress(displace(scores), postprocess, metric_fps)


def displace(scores: Scores) -> Grid:
    """Move every anchor to where it says its spot is, but not out of the half; the best in a cell stays."""
    length, classes = scores.logits.shape
    with np.errstate(over="ignore"):  # exp(-logit) may be infinite: the confidence is 0 then
        confidence = 1 / (1 + np.exp(-scores.logits.astype(np.float64)))
    confidence = np.nan_to_num(confidence, nan=DEAD)  # a network that diverged is scored, too
    position = np.broadcast_to(np.arange(length, dtype=np.float64)[:, None], (length, classes))
    if scores.displacement is not None:
        position = position + np.nan_to_num(scores.displacement)
    end = max(0.0, scores.offset + (length - 1) / scores.fps)
    time = np.rint(1000 * np.clip(scores.offset + position / scores.fps, 0, end)) / 1000
    cell = np.clip(np.floor(position), 0, length - 1).astype(np.int64) * classes + np.arange(classes)
    best = _best(cell.ravel(), confidence.ravel(), confidence.size)
    grid = Grid(np.full_like(confidence, DEAD), np.zeros_like(time), scores.fps)
    grid.confidence.flat[cell.flat[best]] = confidence.flat[best]
    grid.time.flat[cell.flat[best]] = time.flat[best]
    return grid


def suppress(grid: Grid, postprocess: Postprocess, metric_fps: int) -> HalfPredictions:
    """Suppress lower neighbours in ``grid`` and return what is left, as ``spot`` does."""
    classes = grid.confidence.shape[1]
    left = np.where(grid.confidence >= postprocess.threshold, grid.confidence, DEAD)
    windows = np.array(postprocess.windows(classes))
    for window in np.unique(windows):
        decay = _decay(postprocess.method, window * grid.fps)
        left[:, windows == window] = _greedy(left[:, windows == window], decay, postprocess.threshold)
    cell, label = np.nonzero(left > DEAD)
    time, confidence = grid.time[cell, label], left[cell, label]
    order = np.argsort(np.rint(1000 * time).astype(np.int64) * classes + label)
    label, time, confidence = label[order], time[order], confidence[order]
    frame = metric_frame(time, metric_fps)
    best = np.sort(_best(frame * classes + label, confidence, classes * int(frame.max(initial=0) + 1)))
    return HalfPredictions(label[best], time[best], confidence[best])


def _decay(method: str, window: float) -> NDArray[np.float64]:
    """Return the factors at distances of 1, 2, … cells, (R,), up to where they are 1; ``window`` is in cells."""
    if method == "nms":
        return np.zeros(math.floor(window / 2 + 1e-9))
    if method == "quadratic_nms":
        return (2 * np.arange(1, math.ceil(window / 2 - 1e-9)) / window) ** 2
    return np.arange(1, math.ceil(window - 1e-9)) / window


def _best(cell: NDArray[np.int64], confidence: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """Return the row of the highest confidence in every cell that has rows; the first of equals."""
    highest = np.full(size, DEAD)
    np.maximum.at(highest, cell, confidence)
    rows = np.flatnonzero(confidence == highest[cell])
    first = np.full(size, len(cell))
    np.minimum.at(first, cell[rows], rows)
    return first[first < len(cell)]


def _greedy(confidence: NDArray[np.float64], decay: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Take the highest cell, decay its neighbours, and so on; return the confidences at which cells were taken.

    A cell that is the highest within reach is taken before anything near it changes, whatever happens elsewhere.
    So all such cells are taken at once, which gives what taking one by one gives, in few rounds.

    confidence : (T, K), -1 where dead; of equals the first is taken first
    decay : (R,) factors at distances 1…R; 0 removes
    """
    reach, (length, classes) = len(decay), confidence.shape
    if reach == 0:
        return confidence
    taken = np.full(confidence.shape, DEAD)
    score = np.full((length + 2 * reach, classes), DEAD)
    score[reach:-reach] = confidence
    cells = score.reshape(-1)  # the same memory, as is the next: row i holds cells i, i + K, … of one class
    runs = sliding_window_view(cells, (reach - 1) * classes + 1, writeable=True)[:, ::classes]
    first, last = 0, length
    while True:
        ahead = _running_max(score[first : last + 2 * reach], reach)
        middle = score[first + reach : last + reach]
        highest = (middle > ahead[: last - first]) & (middle >= ahead[reach + 1 :])
        picked = np.flatnonzero(highest) + first * classes
        if len(picked) == 0:
            return taken
        centre = picked + reach * classes
        taken.reshape(-1)[picked] = cells[centre]
        cells[centre] = DEAD
        for side, factors in ((classes, decay), (-reach * classes, decay[::-1])):
            left = runs[centre + side] * factors  # holds no cell twice: what is picked together lies apart
            left[(left < threshold) | (factors == 0)] = DEAD
            runs[centre + side] = left
        # only near a change can another cell have become the highest
        first = max(0, int(picked[0]) // classes - 2 * reach)
        last = min(length, int(picked[-1]) // classes + 2 * reach + 1)


def _running_max(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the maximum of ``values[i : i + width]`` for every i, by doubling."""
    span, best = 1, values
    while 2 * span <= width:
        best = np.maximum(best[:-span], best[span:])
        span *= 2
    rest = width - span
    return np.maximum(best[: len(best) - rest], best[rest:])
