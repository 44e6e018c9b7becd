"""Frame rates: the one place that reads them, as numbers or as fractions."""

from __future__ import annotations

from fractions import Fraction

from spotter.checks import to_fraction
from spotter.errors import UserError, shorten


def parse_fps(value: float | str | Fraction, key: str = "fps") -> Fraction:
    """Return frames per second as the fraction that is meant: 2.083333 is 25/12, 29.97003 is 30000/1001.

    Raises UserError naming ``key`` for anything but a positive number or a fraction such as ``25/12``.
    """
    fps = to_fraction(value) or Fraction(0)
    number = float(fps)
    if number <= 0:
        raise UserError(f"{key}: expected a positive number or a fraction such as 25/12, found {shorten(value)}")
    exact, simple = fps.limit_denominator(10_000), fps.limit_denominator(1001)
    if float(exact) == number:
        return exact
    return simple if abs(simple - fps) < fps / 1_000_000 else fps.limit_denominator(1_000_000)
