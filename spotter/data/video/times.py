"""Which image of a half is shown at which time: exact arithmetic on rates and presentation times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """Hold the times at which the images of a half are shown, the first at 0.

    count : number of images
    unit : seconds of a tick
    ticks : (count,) ascending ticks of every image; None where image n is shown at tick n
    """

    count: int
    unit: Fraction
    ticks: Numbers | None = None

    @classmethod
    def regular(cls, count: int, fps: Fraction) -> Times:
        """Return the times of images at a fixed rate."""
        return cls(count, 1 / fps)

    @classmethod
    def stamped(cls, stamps: Numbers, unit: Fraction) -> Times:
        """Return the times of images with presentation stamps, ascending, in units of seconds."""
        steps = np.diff(stamps)
        if len(steps) and (steps == steps[0]).all():
            return cls(len(stamps), int(steps[0]) * unit)  # a data set of thousands of halves takes memory
        return cls(len(stamps), unit, stamps - stamps[0])

    def seconds(self, number: int) -> float:
        """Return when an image is shown."""
        return float((number if self.ticks is None else int(self.ticks[number])) * self.unit)

    @property
    def fps(self) -> Fraction:
        """Return the rate; of images at uneven distances the one of the usual distance.

        Where stamps cannot tell it from a whole rate, or that of NTSC, as those of Matroska files, which are rounded to
        milliseconds, it is that one.
        """
        seconds = self._step() * self.unit
        whole, ntsc = Fraction(round(1 / seconds)), Fraction(1000 * round(1001 / (1000 * seconds)), 1001)
        usual = min((whole, ntsc), key=lambda rate: abs(rate - 1 / seconds))
        drift = abs(1 - seconds * usual) * (self.count - 1)  # images until the last
        return usual if self.ticks is not None and 0 < drift * seconds <= self.unit else 1 / seconds

    @property
    def duration(self) -> Fraction:
        """Return the seconds until the last image ends."""
        return (self._last() + self._step()) * self.unit

    def frames(self, fps: Fraction) -> int:
        """Return the number of frames at ``fps``: the last lies at most half an image after the last image."""
        end = (2 * self._last() + (self._step() if self.count > 1 else 0)) * self.unit / 2
        return int(end * fps) + 1

    def nearest(self, frames: Sequence[int] | Numbers, fps: Fraction) -> Numbers:
        """Return the image nearest to time i / ``fps`` of every frame i; of two equally near the earlier one."""
        ratio = 1 / (fps * self.unit)
        scaled, unit = np.asarray(frames, np.int64) * ratio.numerator, ratio.denominator  # tick i is scaled / unit
        if self.ticks is None:
            return np.clip(-((unit - 2 * scaled) // (2 * unit)), 0, self.count - 1)
        after = np.searchsorted(self.ticks, -(-scaled // unit)).clip(0, self.count - 1)
        before = (after - 1).clip(0)
        nearer = 2 * scaled <= (self.ticks[before] + self.ticks[after]) * unit
        return np.where(nearer, before, after)

    def _last(self) -> int:
        """Return the tick of the last image."""
        return self.count - 1 if self.ticks is None else int(self.ticks[-1])

    def _step(self) -> Fraction:
        """Return the ticks between an image and the next: the mean of those that are as the median, within rounding."""
        if self.ticks is None or self.count < 2:
            return Fraction(1)
        steps = np.diff(self.ticks)
        median = np.partition(steps, (len(steps) - 1) // 2)[(len(steps) - 1) // 2]
        usual = steps[np.abs(steps - median) <= 1]
        return max(Fraction(1), Fraction(int(usual.sum()), len(usual)))


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds."""
    return f"{int(seconds) // 60:02d}:{seconds % 60:04.1f}"
