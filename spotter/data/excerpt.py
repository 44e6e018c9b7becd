"""A part of every half as an input."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spotter.data.parts import PartSource
from spotter.data.source import Inputs, Source
from spotter.errors import UserError
from spotter.types import Clip, Half


class Excerpt(PartSource):
    """Read only the part of every half between two moments; times stay those of the half.

    whole : reads the halves
    start, end : seconds from the start of the half; None for its own end
    """

    def __init__(self, whole: Source, start: float = 0.0, end: float | None = None) -> None:
        if end is not None and end <= start:
            raise UserError(
                f"end={end:g} must be later than start={start:g}; both are seconds from the start of the half"
            )
        super().__init__(whole)
        self.start, self.end = start, math.inf if end is None else end

    def offset(self, half: Half) -> float:
        """Return the seconds of the excerpt's first frame."""
        return self.whole.offset(half) + self._first(half) / self.fps

    def length(self, half: Half) -> int:
        """Return the number of frames of the excerpt; raises UserError where the half ends before it."""
        first, last = self._first(half), self.whole.length(half)
        if last <= first:
            ends = self.whole.offset(half) + last / self.fps
            raise UserError(
                f"start: {half.game!r} ends after {ends:.1f} seconds, before the part from {self.start:g} on"
            )
        if self.end < math.inf:
            last = min(last, math.floor((self.end - self.whole.offset(half)) * self.fps + 1e-6) + 1)
        return max(1, last - first)

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Return clips of the half itself; frames around the excerpt serve as context."""
        moved = [clip._replace(start=clip.start + self._first(halves[clip.half])) for clip in clips]
        return self.whole.read(halves, moved, clip_len)

    def _first(self, half: Half) -> int:
        return max(0, math.ceil((self.start - self.whole.offset(half)) * self.fps - 1e-6))
