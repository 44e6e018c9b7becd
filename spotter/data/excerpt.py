"""A part of every half as an input."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from spotter.data.rows import RowReader
from spotter.data.source import Inputs, InputSpec, Source
from spotter.errors import UserError
from spotter.types import Clip, Half


class Excerpt:
    """Read only the part of every half between two moments; times stay those of the half.

    source : reads the halves
    start, end : seconds from the start of the half; None for its own end
    """

    def __init__(self, source: Source, start: float = 0.0, end: float | None = None) -> None:
        if end is not None and end <= start:
            raise UserError(f"end={end:g} must lie behind start={start:g}; both are seconds from the start of the half")
        self.source = source
        self.start, self.end = start, math.inf if end is None else end

    @property
    def spec(self) -> InputSpec:
        """Return the description of the input."""
        return self.source.spec

    @property
    def fps(self) -> float:
        """Return the frames per second."""
        return self.source.fps

    def offset(self, half: Half) -> float:
        """Return the seconds of the excerpt's first frame."""
        return self.source.offset(half) + self._first(half) / self.fps

    def missing(self, half: Half) -> list[Path]:
        """Return the files that the half lacks."""
        return self.source.missing(half)

    def length(self, half: Half) -> int:
        """Return the number of frames of the excerpt; raises UserError where the half ends before it."""
        first, last = self._first(half), self.source.length(half)
        if last <= first:
            ends = self.source.offset(half) + last / self.fps
            raise UserError(
                f"start: {half.game!r} ends after {ends:.1f} seconds, before the part from {self.start:g} on"
            )
        if self.end < math.inf:
            last = min(last, math.floor((self.end - self.source.offset(half)) * self.fps + 1e-6) + 1)
        return max(1, last - first)

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Return clips of the half itself; frames around the excerpt serve as context."""
        moved = [clip._replace(start=clip.start + self._first(halves[clip.half])) for clip in clips]
        return self.source.read(halves, moved, clip_len)

    def rows(self, half: Half) -> Iterable[tuple[str, RowReader]]:
        """Return the feature rows of the whole half."""
        return self.source.rows(half)

    def video(self, half: Half) -> Path | None:
        """Return the video that shows the half to people, if there is one."""
        return self.source.video(half)

    def native_fps(self, half: Half) -> float | None:
        """Return the frames per second of the stored file, None where they are unknown."""
        return self.source.native_fps(half)

    def _first(self, half: Half) -> int:
        return max(0, math.ceil((self.start - self.source.offset(half)) * self.fps - 1e-6))
