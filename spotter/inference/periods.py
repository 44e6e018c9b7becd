"""Where the halves of a match lie in the files that are given: by times, by a file, by silence or by their order."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from spotter.data.periods import Parts, PeriodSource
from spotter.data.source import Source
from spotter.data.video.silence import find_periods
from spotter.errors import UsageError, UserError
from spotter.io.exchange.files import read_collection
from spotter.io.game_files import check_game
from spotter.io.periods import Moment, parse_periods
from spotter.progress import clock
from spotter.types import Half, Period

log = logging.getLogger(__name__)
Periods = str | os.PathLike[str] | Sequence[Moment | Sequence[Moment]]
SILENCE = "silence"


def open_periods(
    source: Source, halves: Sequence[Half], periods: Periods | None, game: str | None
) -> tuple[list[Half], Source]:
    """Return the halves of a match and the source that reads them, where files are not a half each.

    halves : the files, as ``open_files`` found them
    periods : of one file, the times at which each starts and, after a hyphen or as pairs, ends; without its end, a
        period ends where the next one starts. Or ``silence``, to find them by the sound of each video; or a file of
        labels or predictions that says where the halves of each match lie in its video
    game : the match that all files are of, one for each half, in the order of their numbers or as they are given

    Raises UsageError for times that are none, and UserError for a file that tells nothing of the input.
    """
    if periods is None and game is None:
        return list(halves), source
    named = {half: check_game(game or half.game, "game") for half in halves}
    if periods is None:
        numbers = [half.number for half in halves]
        in_order = numbers if len(set(numbers)) == len(numbers) else range(1, len(numbers) + 1)
        parts: Parts = {Half(named[half], number): (half, None) for half, number in zip(halves, in_order, strict=True)}
        return list(parts), PeriodSource(source, parts)
    found = dict(zip(halves, _periods(source, halves, periods), strict=True))
    parts = {Half(named[half], number): (half, each[number]) for half, each in found.items() for number in each}
    if len(parts) < sum(map(len, found.values())):
        raise UserError("periods: several files have the same half of the match: leave out game, or the periods")
    return list(parts), PeriodSource(source, parts)


def _periods(source: Source, halves: Sequence[Half], periods: Periods) -> list[dict[int, Period]]:
    """Return the periods of each file by the number of the half."""
    if isinstance(periods, str) and periods == SILENCE:
        found = [dict(enumerate(find_periods(_video(source, half)), start=1)) for half in halves]
        for half, each in zip(halves, found, strict=True):
            log.info("%s: by its silence, %s", half.game, _described(each))
        return found
    if isinstance(periods, str | os.PathLike) and Path(periods).is_file():
        return _of_file(Path(periods), halves)
    if isinstance(periods, os.PathLike):
        raise UserError(f"periods: no file {str(periods)!r}")
    if len(halves) > 1:
        raise UsageError(f"periods: times are of one file, and these are {len(halves)}: give a file that names each")
    return [parse_periods(periods)]


def _of_file(path: Path, halves: Sequence[Half]) -> list[dict[int, Period]]:
    """Return what a file of labels or predictions says of each input, by its name."""
    known: dict[str, dict[int, Period]] = {}
    for video in read_collection(path).videos:
        if video.period is not None:
            known.setdefault(video.half.game, {})[video.half.number] = video.period
    if len(known) == len(halves) == 1:
        return list(known.values())
    by_name = {game.rpartition("/")[2]: each for game, each in known.items()} | known
    for half in halves:
        if half.game not in by_name:
            raise UserError(f"{path}: does not say where the halves of {half.game!r} lie in its video (intervals)")
    return [by_name[half.game] for half in halves]


def _video(source: Source, half: Half) -> Path:
    video = source.video(half)
    if video is None:
        raise UsageError(f"periods=silence: {half.game!r} is no video, so nothing can be heard: give times")
    return video


def _described(periods: Mapping[int, Period]) -> str:
    named = (f"half {number} {clock(start)} to {clock(end)}" for number, (start, end) in periods.items())
    return ", ".join(named)
