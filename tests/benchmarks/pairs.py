"""Two ways to do the same, taken in turn: the ratio of neighbours is what other load on the machine disturbs least."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Work = Callable[[], object]


@dataclass(frozen=True)
class Pairs:
    """Hold what two ways cost, pair by pair: CPU seconds, or MB."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratios(self) -> NDArray[np.float64]:
        """Return ours / theirs of every pair."""
        return np.divide(self.ours, self.theirs)


def compare(ours: Work, theirs: Work, pairs: int, *, warmup: int = 1) -> Pairs:
    """Do both in turn, who begins too, and return their CPU seconds; ``warmup`` pairs before do not count."""
    spent: tuple[list[float], list[float]] = [], []
    for number in range(warmup + pairs):
        for which in (0, 1) if number % 2 else (1, 0):
            taken = cpu_seconds((ours, theirs)[which])
            if number >= warmup:
                spent[which].append(taken)
    return Pairs(*spent)


def cpu_seconds(work: Work) -> float:
    """Return what work costs in this process and in all that it starts and waits for."""
    before = _spent()
    work()
    return _spent() - before


def _spent() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
