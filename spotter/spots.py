"""The vocabulary of a half: which half it is, its labelled spots, and predictions for it, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Half(NamedTuple):
    """Name one video of a game: ``league/season/match`` and the half's number (1 or 2)."""

    game: str
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Hold the labelled spots of one half as columns, in file order.

    label : (N,) int64, index into ``Task.classes``
    time : (N,) float64, seconds from the start of the half
    visible : (N,) bool, False where the label file says "not shown"
    """

    label: NDArray[np.int64]
    time: NDArray[np.float64]
    visible: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def empty(cls) -> Spots:
        """Return a half without spots."""
        return cls(np.empty(0, np.int64), np.empty(0), np.empty(0, bool))


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Hold the predicted spots of one half as columns; in the metric the last of equal (class, frame) counts.

    label : (N,) int64, index into ``Task.classes``
    time : (N,) float64, seconds from the start of the half, whole milliseconds
    confidence : (N,) float64
    """

    label: NDArray[np.int64]
    time: NDArray[np.float64]
    confidence: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.label)

    def between(self, start: float, end: float) -> Predictions:
        """Return what lies within two moments, in seconds."""
        inside = (self.time >= start) & (self.time <= end)
        return Predictions(self.label[inside], self.time[inside], self.confidence[inside])

    @classmethod
    def empty(cls) -> Predictions:
        """Return a half without predictions."""
        return cls(np.empty(0, np.int64), np.empty(0), np.empty(0))


def metric_frame(time: NDArray[np.float64], fps: float) -> NDArray[np.int64]:
    """Return the metric's frame of each time: truncated towards zero, as the official code does."""
    return np.trunc(fps * time).astype(np.int64)
