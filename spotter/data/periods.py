"""The periods of a match that lie in one file, or in files of any name, as halves of their own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from spotter.data.excerpt import Excerpt
from spotter.data.match_clock import STREAM, read_match_clock
from spotter.data.rows import RowReader
from spotter.data.source import Inputs, InputSpec, Source
from spotter.errors import UserError
from spotter.types import Clip, Half, Period

Parts = Mapping[Half, tuple[Half, Period | None]]  # of a half: its file, as a half, and where it lies there; None: all


class PeriodSource:
    """Read parts of files as halves: their time counts from the start of the period, and nothing else is seen.

    source : reads the files
    parts : the file and the period of each half; any other half is read from its own file, as a whole
    """

    def __init__(self, source: Source, parts: Parts) -> None:
        self._source, self._parts = source, parts

    @property
    def spec(self) -> InputSpec:
        """Return the description of the input."""
        return self._source.spec

    @property
    def fps(self) -> float:
        """Return the frames per second."""
        return self._source.fps

    def offset(self, half: Half) -> float:
        """Return the seconds from the start of the period to its first frame, less than the distance of two."""
        file, period = self._part(half)
        return self._source.offset(file) + self._first(half) / self.fps - period.start

    def missing(self, half: Half) -> list[Path]:
        """Return the files that the half lacks."""
        return self._source.missing(self._part(half)[0])

    def length(self, half: Half) -> int:
        """Return the number of frames of the period; raises UserError where the file ends before it."""
        file, period = self._part(half)
        first, last = self._first(half), self._source.length(file)
        if last <= first:
            ends = self._source.offset(file) + last / self.fps
            raise UserError(
                f"periods: half {half.number} of {half.game!r} begins at {period.start:.1f} s of a file that ends at "
                f"{ends:.1f} s: correct its times"
            )
        if period.end < math.inf:
            last = min(last, math.ceil((period.end - self._source.offset(file)) * self.fps - 1e-6))
        return max(1, last - first)

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Return clips of the files, zero outside of the period, as if it were a file of its own."""
        files = [self._part(half)[0] for half in halves]
        moved = [clip._replace(start=clip.start + self._first(halves[clip.half])) for clip in clips]
        inputs, phase = self._source.read(files, moved, clip_len)
        for row, clip in enumerate(clips):
            frames = self.length(halves[clip.half])
            if clip.start < 0 or clip.start + clip_len > frames:
                _hide(inputs, phase, row, clip.start, frames, self.spec)
        if self.spec.match_clock:
            offsets = [self.offset(halves[clip.half]) for clip in clips]
            inputs[STREAM] = read_match_clock(halves, clips, clip_len, self.fps, offsets)
        return inputs, phase

    def rows(self, half: Half) -> Iterable[tuple[str, RowReader]]:
        """Return the feature rows of the whole file."""
        return self._source.rows(self._part(half)[0])

    def video(self, half: Half) -> Path | None:
        """Return the video of the file."""
        return self._source.video(self._part(half)[0])

    def native_fps(self, half: Half) -> float | None:
        """Return the frames per second of the stored file, None where they are unknown."""
        return self._source.native_fps(self._part(half)[0])

    def halves(self, game: str) -> list[Half]:
        """Return the halves of a game that are parts of files."""
        return [half for half in self._parts if half.game == game]

    def period(self, half: Half) -> Period | None:
        """Return where a half lies in its file, which it ends with at the latest; None where it is the whole file."""
        period = self._parts.get(half, (half, None))[1]
        if period is None:
            return None
        return Period(period.start, min(period.end, period.start + self.offset(half) + self.length(half) / self.fps))

    def _part(self, half: Half) -> tuple[Half, Period]:
        file, period = self._parts.get(half, (half, None))
        return file, period or Period(0.0)

    def _first(self, half: Half) -> int:
        file, period = self._part(half)
        return max(0, math.ceil((period.start - self._source.offset(file)) * self.fps - 1e-6))


def period_of(source: Source, half: Half) -> Period | None:
    """Return where a half lies in a file that holds others, too; None where it is a file of its own."""
    source = source.source if isinstance(source, Excerpt) else source
    return source.period(half) if isinstance(source, PeriodSource) else None


def _hide(
    inputs: dict[str, torch.Tensor],
    phase: Mapping[str, torch.Tensor],
    row: int,
    start: int,
    frames: int,
    spec: InputSpec,
) -> None:
    """Set to zero what a clip, which begins at frame ``start``, shows outside of the ``frames`` of its period."""
    for name, rows in inputs.items():
        rate = spec.layout[name]["fps"]
        at = start + (torch.arange(rows.shape[1], dtype=torch.float64) - float(phase[name][row])) * spec.fps / rate
        rows[row, (at < -1e-3) | (at > frames - 1e-3)] = 0
