"""The segments of a transcript as columns, whatever file they come from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Segment = tuple[Any, Any, Any]  # start and end in seconds, and text, as a file gives them

LATEST = 4 * 3600  # seconds; no match lasts as long, whatever a file holds of it
UNREADABLE = "segments without text or times"
OVERLAPPING = "segments that begin before the one before them ends"
ODD_KEYS = "segments whose key is not a number"
LATE = f"segments beyond {LATEST // 3600} hours, left out"


@dataclass(frozen=True, slots=True, eq=False)
class Transcript:
    """Hold what is said in one half, as N segments in order of their start.

    start, end : (N,) float64, seconds from the start of the half
    text : N lines
    english : whether it is English, as the file says; None where it does not
    oddities : how many segments had which defect; those without text or times, or beyond LATEST, are left out
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    text: tuple[str, ...]
    english: bool | None = None
    oddities: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.text)

    @property
    def seconds(self) -> float:
        """Return the end of the last segment, in seconds from the start of the half."""
        return float(self.end.max(initial=0.0))

    @classmethod
    def of(cls, segments: Iterable[Segment], english: bool | None = None, odd_keys: int = 0) -> Transcript:
        """Check segments as a file gives them, in any order; what cannot be placed in time is left out and counted."""
        given = list(segments)
        placed = [each for each in map(_placed, given) if each is not None]
        good = sorted((each for each in placed if each[1] <= LATEST), key=lambda each: each[:2])
        start, end = (np.array([each[i] for each in good], np.float64) for i in (0, 1))
        overlapping = int((start[1:] < np.maximum.accumulate(end)[:-1] - 1e-3).sum()) if len(good) else 0
        counts = Counter(
            {
                UNREADABLE: len(given) - len(placed),
                LATE: len(placed) - len(good),
                OVERLAPPING: overlapping,
                ODD_KEYS: odd_keys,
            }
        )
        return cls(start, end, tuple(each[2] for each in good), english, +counts)


def _placed(segment: Segment) -> tuple[float, float, str] | None:
    """Return a segment with numbers for times, None if they are none, or if there is no text."""
    start, end, text = segment
    numbers = all(isinstance(each, int | float) and math.isfinite(each) for each in (start, end))
    if not numbers or not isinstance(text, str) or not text.strip() or not 0 <= start <= end:
        return None
    return float(start), float(end), text.strip()
