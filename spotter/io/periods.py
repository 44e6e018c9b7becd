"""Where the halves of a match lie in one file, as OSL JSON lists them, and what the clock of the match shows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeGuard

from spotter.checks import is_number
from spotter.errors import UsageError, UserError, shorten
from spotter.types import Period

Moment = float | str  # seconds, or "mm:ss" or "h:mm:ss"
KEY = "intervals"  # of the list, in the metadata of a video of OSL JSON and in official JSON of ours
NAMES = {1: "H1", 2: "H2", 3: "ET1", 4: "ET2"}
BEGINS, LENGTHS = {1: 0, 2: 45, 3: 90, 4: 105}, {1: 45, 2: 45, 3: 15, 4: 15}  # minutes of football
_NAME = re.compile(r"(?P<extra>ET)?\D*?(?P<number>[1-9])", re.IGNORECASE)


def read_intervals(value: object, where: str) -> dict[int, Period]:
    """Return the periods that a list names, by the number of the half, in order; nothing where there is no list.

    H1, H2, ET1 and ET2 are halves 1 to 4; where names tell no numbers, the order does.
    Raises UserError for an interval without times, and for one that begins before the other ends.
    """
    if not isinstance(value, list):
        return {}
    periods: list[Period] = []
    for index, each in enumerate(value, start=1):
        start, end = (each.get(f"{key}_time_ms") if isinstance(each, dict) else None for key in ("start", "end"))
        if not _is_time(start) or not (end is None or _is_time(end)):
            raise UserError(f"{where}: interval {index} has no start_time_ms and end_time_ms: {shorten(each)}")
        periods.append(Period(start / 1000, math.inf if end is None else end / 1000))
    numbers = [_number(each.get("period")) for each in value]
    if 0 in numbers or len(set(numbers)) < len(numbers):
        numbers = list(range(1, len(periods) + 1))
    return check_periods(dict(zip(numbers, periods, strict=True)), where)


def check_periods(periods: Mapping[int, Period], where: str) -> dict[int, Period]:
    """Return periods in order; without its end, one ends where the next one starts.

    Raises UserError where one is empty, or begins before the one before it ends.
    """
    last, closed = 0.0, {}
    ordered = sorted(periods.items())
    for (number, (start, end)), following in zip_longest(ordered, [start for _, (start, _) in ordered[1:]]):
        end = following if math.isinf(end) and following is not None else end
        if start < last or end <= start:
            raise UserError(
                f"{where}: half {number}, from {start:g} to {end:g} s, is empty or begins before {last:g} s, where the "
                "half before it ends: correct the times"
            )
        last, closed[number] = end, Period(start, end)
    return closed


def parse_periods(periods: str | Sequence[Moment | Sequence[Moment]]) -> dict[int, Period]:
    """Return the periods of one file, halves 1, 2, … in order, from their starts, or starts and ends.

    periods : text as ``1:01-47:30,1:03:10-1:51:00``, or a list of moments, of such texts, or of pairs

    Without its end, a period ends where the next one starts. Raises UsageError for times that are none, and UserError
    for periods that overlap.
    """
    listed = [text.strip() for text in periods.strip("[]").split(",")] if isinstance(periods, str) else periods
    if len(listed) == 1 and isinstance(listed[0], str) and not re.fullmatch(r"[\d:.-]+", listed[0]):
        raise UsageError(f"periods: {listed[0]!r} is neither a file, silence, nor times as 1:01-47:30,1:03:10-1:51:00")
    pairs = [each.split("-") if isinstance(each, str) else each for each in listed]
    moments = [[pair] if isinstance(pair, int | float) else pair for pair in pairs]
    edges = [[parse_moment("periods", moment) for moment in pair] for pair in moments]
    if not edges or not all(1 <= len(edge) <= 2 for edge in edges):
        raise UsageError(f"periods: expected times as 1:01-47:30,1:03:10-1:51:00, found {shorten(list(listed))}")
    return check_periods({number: Period(*edge) for number, edge in enumerate(edges, start=1)}, "periods")


def parse_moment(key: str, moment: Moment) -> float:
    """Return a moment in seconds; raises UsageError for what is none."""
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", str(moment)):
        raise UsageError(f"{key}: expected seconds, mm:ss or h:mm:ss, found {moment!r}")
    return sum(float(part) * 60**power for power, part in enumerate(reversed(str(moment).split(":"))))


def write_intervals(periods: Mapping[int, Period]) -> list[dict[str, Any]]:
    """Return the list that ``read_intervals`` reads."""
    return [
        {"period": NAMES.get(number, f"P{number}"), "start_time_ms": round(1000 * start)}
        | ({} if math.isinf(end) else {"end_time_ms": round(1000 * end)})
        for number, (start, end) in sorted(periods.items())
    ]


def match_clock(half: int, milliseconds: int) -> str:
    """Return what the clock of the match shows, with added time on its own.

    >>> match_clock(2, 754_321), match_clock(1, 2_830_000), match_clock(3, 61_000)
    ('57:34', '45+2:10', '91:01')
    """
    minutes, seconds = divmod(max(0, milliseconds) // 1000, 60)
    begin, length = BEGINS.get(half, 0), LENGTHS.get(half, math.inf)
    if minutes >= length:
        return f"{begin + int(length)}+{minutes - int(length)}:{seconds:02d}"
    return f"{begin + minutes:02d}:{seconds:02d}"


def _number(name: object) -> int:
    """Return the number of a period by its name, 0 where that tells none."""
    match = _NAME.search(str(name))
    return 0 if match is None else int(match["number"]) + (2 if match["extra"] else 0)


def _is_time(value: object) -> TypeGuard[float]:
    return is_number(value) and value >= 0
