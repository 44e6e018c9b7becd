"""Decode the scores of a half into predictions: displacement, then hard or soft non-maximum suppression (NMS)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spotter.inference.smooth import local_maxima, smooth
from spotter.io.scores import Scores
from spotter.settings import Postprocess
from spotter.types import METRIC_THRESHOLDS, HalfPredictions, metric_frame

SUPPRESSED = -1.0
DIGITS = 5  # significant ones of a written confidence


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Hold the displaced anchors of one half: in each cell, as wide as an anchor, the best that moved there.

    confidence : (T, K) float64, -1 in empty cells
    time : (T, K) float64, the exact seconds of that anchor, whole milliseconds; in order along each class
    fps : cells per second
    """

    confidence: NDArray[np.float64]
    time: NDArray[np.float64]
    fps: float


def decode(scores: Scores, postprocess: Postprocess, metric_fps: int, sides: int = 1) -> HalfPredictions:
    """Return the half's predictions by time, at most one for a class, team and frame of the metric.

    sides : columns of scores that each class has, see ``Task.sides``

    Confidences are rounded as files hold them, so that what is scored here and what is scored from files are equal.
    """
    found = suppress(apply_displacement(scores), postprocess, metric_fps, sides)
    found = found if sides > 1 else found.take(np.argsort(found.time, kind="stable"))
    return replace(round_confidence(found), period=scores.period)


def round_confidence(predictions: HalfPredictions) -> HalfPredictions:
    """Round confidences to 5 significant digits, and to 22 decimals: such a number is its shortest text exactly.

    No score changes by it: all digits stay where different confidences of a class would become equal, and where one
    would cross a threshold of the metric.
    """
    exact = predictions.confidence
    exponent = np.floor(np.log10(np.maximum(exact, 1e-22)))
    scale = 10.0 ** np.clip(DIGITS - 1 - exponent, 0, 22)  # 10**22 is the largest that is a float64 exactly
    short = np.rint(exact * scale) / scale
    nearest = METRIC_THRESHOLDS[np.rint(exact * (len(METRIC_THRESHOLDS) - 1)).astype(np.int64)]
    kept = ((exact >= nearest) != (short >= nearest)) | _merges(predictions.label, exact, short)
    return replace(predictions, confidence=np.where(kept, exact, short))


def _merges(label: NDArray[np.int64], exact: NDArray[np.float64], short: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows of one class are equal in ``short`` to rows that differ from them in ``exact``."""
    merged = np.zeros(len(label), bool)
    if len(label):
        key = 2 * label + short  # one number for class and confidence; sorting it is faster than sorting by both
        order = np.argsort(key)
        first = np.flatnonzero(np.diff(key[order], prepend=-1))
        low, high = (extreme.reduceat(exact[order], first) for extreme in (np.minimum, np.maximum))
        merged[order] = np.repeat(low < high, np.diff(first, append=len(order)))
    return merged


def apply_displacement(scores: Scores) -> Candidates:
    """Move every anchor by its predicted displacement, but not out of the half; the best in a cell stays."""
    confidence, displacement = _confidence(scores.logits.T), scores.displacement  # class by class, as suppression goes
    classes, length = confidence.shape
    end = max(0.0, scores.offset + (length - 1) / scores.fps)
    position = np.arange(length, dtype=np.float64)[None]
    if displacement is None:  # every anchor is alone in its own cell
        time = _times(position, scores, end)
        return Candidates(confidence.T, np.broadcast_to(time, confidence.shape).T, scores.fps)
    position = position + _replace_nan(displacement.T.astype(np.float64, order="C"), 0)
    cell = np.clip(position, 0, length - 1).astype(np.int64)
    cell += length * np.arange(classes)[:, None]
    cell, position = cell.ravel(), position.ravel()
    highest, rows = _highest(cell, confidence.ravel(), confidence.size)
    its_time = np.zeros_like(highest)
    its_time[cell[rows]] = _times(position[rows], scores, end)
    return Candidates(highest.reshape(classes, -1).T, its_time.reshape(classes, -1).T, scores.fps)


def _confidence(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the sigmoid in double precision; scores of a network that diverged count as empty."""
    confidence = logits.astype(np.float64, order="C")
    with np.errstate(over="ignore"):  # exp(-logit) may be infinite: the confidence is 0 then
        np.exp(np.negative(confidence, out=confidence), out=confidence)
    confidence += 1
    return _replace_nan(np.reciprocal(confidence, out=confidence), SUPPRESSED)


def _replace_nan(values: NDArray[np.float64], by: float) -> NDArray[np.float64]:
    np.copyto(values, by, where=np.isnan(values))
    return values


def _times(position: NDArray[np.float64], scores: Scores, end: float) -> NDArray[np.float64]:
    """Return the seconds of positions in anchors, whole milliseconds, none beyond the ``end`` of the half."""
    time = position / scores.fps  # then in place: new memory costs as much as the arithmetic
    time += scores.offset
    time = np.rint(np.multiply(np.clip(time, 0, end, out=time), 1000, out=time), out=time)
    time /= 1000
    return time


def suppress(candidates: Candidates, postprocess: Postprocess, metric_fps: int, sides: int = 1) -> HalfPredictions:
    """Suppress lower neighbours and return the remaining predictions by class, then by time, not rounded.

    What one team does suppresses nothing that the other does.
    """
    confidence = _prepare(candidates, postprocess)
    left, windows = np.empty_like(confidence), np.repeat(postprocess.windows(len(confidence) // sides), sides)
    for window in np.unique(windows):
        rows = slice(None) if len(set(windows)) == 1 else windows == window  # a slice copies nothing
        decay = decay_factors(postprocess.method, window * candidates.fps)
        left[rows] = _greedy(confidence[rows], decay, postprocess.threshold)
    label = np.repeat(np.arange(len(left)), np.count_nonzero(left > SUPPRESSED, axis=1))
    cell = np.flatnonzero(left > SUPPRESSED)
    time, confidence = candidates.time.T.ravel().take(cell), left.ravel().take(cell)
    frame = metric_frame(time, metric_fps)
    place = frame + label * (1 + frame.max(initial=0))
    if not np.all(np.diff(place)):
        best = np.sort(_best(place, confidence, int(place.max()) + 1))
        label, time, confidence = label[best], time[best], confidence[best]
    found = HalfPredictions(label, time, confidence)
    return found if sides == 1 else _split_teams(found, metric_fps, sides)


def _prepare(candidates: Candidates, postprocess: Postprocess) -> NDArray[np.float64]:
    """Return confidences (K, T), averaged over time and without all but local maxima where suppression wants it."""
    confidence = candidates.confidence
    if postprocess.smooth:
        averaged = smooth(confidence.clip(0), postprocess.smooth * candidates.fps)
        confidence = np.where(confidence > SUPPRESSED, averaged, SUPPRESSED)
    if postprocess.method == "peaks":
        confidence = np.where(local_maxima(confidence), confidence, SUPPRESSED)
    return confidence.T


def _split_teams(columns: HalfPredictions, metric_fps: int, sides: int) -> HalfPredictions:
    """Return predictions by class and team; within a metric frame the best comes last.

    The metric without teams then takes the better of the two, for it takes the last.
    """
    rows = columns.take(np.lexsort((columns.confidence, metric_frame(columns.time, metric_fps))))
    return HalfPredictions(rows.label // sides, rows.time, rows.confidence, rows.label % sides)


def decay_factors(method: str, window: float) -> NDArray[np.float64]:
    """Return the factors at distances of 1, 2, … cells, (R,), up to where they are 1; ``window`` is in cells."""
    if method in ("nms", "peaks"):
        return np.zeros(math.floor(window / 2 + 1e-9))
    if method == "quadratic_nms":
        return (2 * np.arange(1, math.ceil(window / 2 - 1e-9)) / window) ** 2
    return np.arange(1, math.ceil(window - 1e-9)) / window


def _best(cell: NDArray[np.int64], confidence: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """Return the row of the highest confidence in every cell that has rows; the first of equals."""
    _, rows = _highest(cell, confidence, size)
    first = np.full(size, len(cell))
    first[cell[rows]] = rows
    return first[first < len(cell)]


def _highest(
    cell: NDArray[np.int64], confidence: NDArray[np.float64], size: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the highest confidence of every cell, and the rows that have it, last first.

    What is written to the cells of these rows is, of equals, the first one's: NumPy keeps what is written last.
    """
    highest = np.full(size, SUPPRESSED)
    np.maximum.at(highest, cell, confidence)
    return highest, np.flatnonzero(confidence == highest[cell])[::-1]


def _greedy(confidence: NDArray[np.float64], decay: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Take the highest cell, decay its neighbours, and so on; return the confidences at which cells were taken.

    A cell that is the highest within its radius may be taken before any cell near it changes, whatever happens
    elsewhere. So cells are cut into blocks as long as the radius, and the best of every block that is better than both
    blocks beside it is taken at once: the result is that of taking one by one (the tests hold the short definition
    against this), in few rounds. What falls below the threshold can stay: near it, too, all that is left is below.

    confidence : (K, T), -1 where empty; of equals the first is taken first
    decay : (R,) factors at distances 1…R, all above 0 or all 0, which removes
    """
    radius, (classes, length) = len(decay), confidence.shape
    if radius == 0:
        return np.where(confidence >= threshold, confidence, SUPPRESSED)
    blocks = -(-length // radius) + 1  # of a class, the last one empty: what is decayed there is no other class
    cells = np.full((1 + classes * blocks) * radius, SUPPRESSED)
    taken, removes = np.full_like(cells, SUPPRESSED), not decay.any()
    _by_class(cells, radius, classes)[:, :length] = confidence
    block, runs = cells.reshape(-1, radius), sliding_window_view(cells, radius, writeable=True)
    while True:
        best = _row_max(block)
        picked = 1 + np.flatnonzero((best[1:-1] > best[:-2]) & (best[1:-1] >= best[2:]))
        picked = picked[best[picked] >= threshold]
        if len(picked) == 0:
            return _by_class(taken, radius, classes)[:, :length]
        cell = radius * picked + block.take(picked, axis=0).argmax(axis=1)
        taken[cell] = best[picked]
        cells[cell] = SUPPRESSED
        for start, factors in ((cell + 1, decay), (cell - radius, decay[::-1])):
            # holds no cell twice: what is picked together lies apart
            runs[start] = SUPPRESSED if removes else runs[start] * factors


def _by_class(cells: NDArray[np.float64], radius: int, classes: int) -> NDArray[np.float64]:
    return cells[radius:].reshape(classes, -1)


def _row_max(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the maximum of each row, as ``block.max(axis=1)``, which is slow where rows are short."""
    if block.shape[1] < 48:
        return reduce(np.maximum, block.T)
    return np.maximum.reduceat(block.ravel(), np.arange(0, block.size, block.shape[1]))
