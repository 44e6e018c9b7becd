"""Late fusion: weighted means of the raw scores of several runs, and a search for the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spotter.io.scores import Scores

STEPS = tuple(step / 10 for step in range(11))

Weights = tuple[float, ...]


def fuse(runs: Sequence[Scores], weights: Sequence[float], displacement: Scores | None = None) -> Scores:
    """Return the weighted mean of the scores of one half, at the anchors of the run with the highest rate.

    Of equal rates the first counts. Logits are averaged over all runs, displacements over those that have any. A run
    of weight 0 is ignored altogether.

    runs : of any rates, offsets and lengths
    weights : one for each run, none negative, not all zero; only their ratios count
    displacement : take displacements from these scores alone, whatever the runs have (Soares and Shah, 2022)
    """
    weighted = [(run, weight) for run, weight in zip(runs, weights, strict=True) if weight > 0]
    grid = max((run for run, _ in weighted), key=lambda run: run.fps)
    displacements = [
        (resample(run.displacement, run, grid) * (grid.fps / run.fps), weight)
        for run, weight in (weighted if displacement is None else [(displacement, 1.0)])
        if run.displacement is not None
    ]
    logits = _mean([(resample(run.logits, run, grid), weight) for run, weight in weighted])
    return Scores(logits, _mean(displacements) if displacements else None, grid.fps, grid.offset, grid.period)


def resample(values: NDArray[np.float32], run: Scores, grid: Scores) -> NDArray[np.float64]:
    """Interpolate ``values`` (T, K) of ``run`` at the anchors of ``grid``, (T', K), linearly; the ends are repeated.

    Where an anchor of both lies at the same time, its values stay the same to the bit.
    """
    position = np.arange(len(grid.logits)) * (run.fps / grid.fps) + (grid.offset - run.offset) * run.fps
    position = np.clip(position, 0, len(values) - 1)
    before = np.floor(position).astype(np.int64)
    fraction = position - before
    between = fraction > 0  # the last anchor has none after it
    rows = values[before].astype(np.float64)
    rows[between] += fraction[between, None] * (values[before[between] + 1] - rows[between])
    return rows


def search(runs: int, value: Callable[[Weights], float]) -> Iterator[tuple[Weights, float]]:
    """Yield weights and their value as coordinate ascent tries them; its result is the first of the highest.

    It starts at equal weights. Each run in turn gets every weight in ``STEPS``, the others divide the rest in the
    ratio they had, and the best is kept; this is repeated until a whole round finds nothing better. Nothing is tried
    twice.

    value : the higher the better
    """
    best = _round([1 / runs] * runs)
    tried = {best: value(best)}
    yield best, tried[best]
    start: Weights | None = None
    while start != best:
        start = best
        for run in range(runs):
            line = [_with_weight(best, run, weight) for weight in STEPS]
            for weights in line:
                if weights not in tried:
                    tried[weights] = value(weights)
                    yield weights, tried[weights]
            best = max([best, *line], key=lambda weights: tried[weights])  # of equals the first


def _with_weight(weights: Weights, run: int, weight: float) -> Weights:
    """Return ``weights`` with ``weight`` for one run, and the rest for the others in the ratio they had."""
    others = np.array(weights)
    others[run] = 0
    if others.sum() == 0:
        others = np.ones(len(weights))
        others[run] = 0
    changed = others * (1 - weight) / others.sum()
    changed[run] = weight
    return _round(changed)


def _round(weights: Sequence[float] | NDArray[np.float64]) -> Weights:
    """Return weights without the rounding errors by which equal ones would differ."""
    return tuple(round(float(weight), 6) for weight in weights)


def _mean(weighted: Sequence[tuple[NDArray[np.float64], float]]) -> NDArray[np.float32]:
    values, weights = zip(*weighted, strict=True)
    return np.average(np.stack(values), axis=0, weights=weights).astype(np.float32)
