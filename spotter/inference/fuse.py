"""Late fusion: the raw scores of several runs become one by weighted means, and the weights can be searched for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spotter.io.scores import Scores

SHARES = tuple(step / 10 for step in range(11))

Weights = tuple[float, ...]


def fuse(runs: Sequence[Scores], weights: Sequence[float], displacement: Scores | None = None) -> Scores:
    """Return the weighted mean of what several runs say of one half, on their finest grid, of equals the first.

    Logits are averaged over all runs, displacements over those that have any. A run that weighs nothing takes no
    part, not even with its grid.

    runs : of any rates, offsets and lengths
    weights : one for each run, none negative, not all zero; only their ratios count
    displacement : the scores that displacements are taken from alone, whatever the runs have (Soares and Shah 2022)
    """
    weighed = [(run, weight) for run, weight in zip(runs, weights, strict=True) if weight > 0]
    grid = max((run for run, _ in weighed), key=lambda run: run.fps)
    moved = [
        (resample(run.displacement, run, grid) * (grid.fps / run.fps), weight)
        for run, weight in (weighed if displacement is None else [(displacement, 1.0)])
        if run.displacement is not None
    ]
    logits = _mean([(resample(run.logits, run, grid), weight) for run, weight in weighed])
    return Scores(logits, _mean(moved) if moved else None, grid.fps, grid.offset)


def resample(values: NDArray[np.float32], run: Scores, grid: Scores) -> NDArray[np.float64]:
    """Return ``values`` (T, K) of ``run`` at the anchors of ``grid``, (T', K), linear in time; the ends are repeated.

    Anchors that fall on anchors keep their values to the bit.
    """
    position = np.arange(len(grid.logits)) * (run.fps / grid.fps) + (grid.offset - run.offset) * run.fps
    position = np.clip(position, 0, len(values) - 1)
    before = np.floor(position).astype(np.int64)
    share = position - before
    between = share > 0  # the last anchor has none behind it
    rows = values[before].astype(np.float64)
    rows[between] += share[between, None] * (values[before[between] + 1] - rows[between])
    return rows


def search(runs: int, value: Callable[[Weights], float]) -> Iterator[tuple[Weights, float]]:
    """Yield weights and their value as coordinate ascent tries them; the first of the highest is what it finds.

    It starts at equal weights. Each run in turn takes every share in ``SHARES``, the others divide the rest as they
    did before, and the best stays; this goes on until a whole round finds no better. Nothing is tried twice.

    value : the higher the better
    """
    best = _rounded([1 / runs] * runs)
    tried = {best: value(best)}
    yield best, tried[best]
    start: Weights | None = None
    while start != best:
        start = best
        for run in range(runs):
            line = [_shared(best, run, share) for share in SHARES]
            for weights in line:
                if weights not in tried:
                    tried[weights] = value(weights)
                    yield weights, tried[weights]
            best = max([best, *line], key=lambda weights: tried[weights])  # of equals the first


def _shared(weights: Weights, run: int, share: float) -> Weights:
    """Return ``weights`` with ``share`` for one run and the rest for the others as they stand to each other."""
    others = np.array(weights)
    others[run] = 0
    if others.sum() == 0:
        others = np.ones(len(weights))
        others[run] = 0
    shared = others * (1 - share) / others.sum()
    shared[run] = share
    return _rounded(shared)


def _rounded(weights: Sequence[float] | NDArray[np.float64]) -> Weights:
    """Return weights without the rounding errors by which equal ones would differ."""
    return tuple(round(float(weight), 6) for weight in weights)


def _mean(weighed: Sequence[tuple[NDArray[np.float64], float]]) -> NDArray[np.float32]:
    values, weights = zip(*weighed, strict=True)
    return np.average(np.stack(values), axis=0, weights=weights).astype(np.float32)
