"""The periods of a match that lie in one file, or in files of any name, as halves of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from spotter.data.excerpt import Excerpt
from spotter.data.match_clock import STREAM, read_match_clock
from spotter.data.parts import PartSource
from spotter.data.source import Inputs, InputSpec, Source
from spotter.errors import UserError
from spotter.types import Clip, Half, Period

Parts = Mapping[Half, tuple[Half, Period | None]]  # of a half: its file, as a half, and where it lies there; None: all


class PeriodSource(PartSource):
    """Read parts of files as halves: their time counts from the start of the period, and nothing else is seen.

    whole : reads the files
    parts : the file and the period of each half; any other half is read from its own file, as a whole
    """

    def __init__(self, whole: Source, parts: Parts) -> None:
        super().__init__(whole)
        self._parts = parts

    def offset(self, half: Half) -> float:
        """Return the seconds from the start of the period to its first frame, less than the distance of two."""
        file, period = self._part(half)
        return self.whole.offset(file) + self._first(half) / self.fps - period.start

    def length(self, half: Half) -> int:
        """Return the number of frames of the period; raises UserError where the file ends before it."""
        file, period = self._part(half)
        first, last = self._first(half), self.whole.length(file)
        if last <= first:
            ends = self.whole.offset(file) + last / self.fps
            raise UserError(
                f"periods: half {half.number} of {half.game!r} begins at {period.start:.1f} s of a file that ends at "
                f"{ends:.1f} s: correct its times"
            )
        if period.end < math.inf:
            last = min(last, math.ceil((period.end - self.whole.offset(file)) * self.fps - 1e-6))
        return max(1, last - first)

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Return clips of the files, zero outside of the period, as if it were a file of its own."""
        files = [self._part(half)[0] for half in halves]
        moved = [clip._replace(start=clip.start + self._first(halves[clip.half])) for clip in clips]
        inputs, phase = self.whole.read(files, moved, clip_len)
        for row, clip in enumerate(clips):
            frames = self.length(halves[clip.half])
            if clip.start < 0 or clip.start + clip_len > frames:
                _hide(inputs, phase, row, clip.start, frames, self.spec)
        if self.spec.match_clock:
            offsets = [self.offset(halves[clip.half]) for clip in clips]
            inputs[STREAM] = read_match_clock(halves, clips, clip_len, self.fps, offsets)
        return inputs, phase

    def whole_half(self, half: Half) -> Half:
        """Return the file of a half, as a half."""
        return self._part(half)[0]

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
        return max(0, math.ceil((period.start - self.whole.offset(file)) * self.fps - 1e-6))


def period_of(source: Source, half: Half) -> Period | None:
    """Return where a half lies in a file that holds others, too; None where it is a file of its own."""
    source = source.whole if isinstance(source, Excerpt) else source
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
        rate = spec.layout[name]["fps"] if name in spec.layout else spec.fps  # else a teacher's, a row for each frame
        at = start + (torch.arange(rows.shape[1], dtype=torch.float64) - float(phase[name][row])) * spec.fps / rate
        rows[row, (at < -1e-3) | (at > frames - 1e-3)] = 0
