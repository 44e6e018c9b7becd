"""Events as CSV: one line each, with a line of column names."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from spotter.errors import UserError, shorten
from spotter.io.exchange.collection import Collection, Row, Video, parse_clock
from spotter.io.game_files import check_game
from spotter.io.periods import match_clock
from spotter.io.soccernet import game_time
from spotter.types import Half, Period

COLUMNS = ("game", "half", "time", "clock", "match_clock", "video_time", "class", "team", "visibility", "confidence")
OPTIONAL = {"match_clock", "video_time", "team", "visibility", "confidence"}  # left out where no event has one
NAMES = {"label": "class", "action": "class", "event": "class", "period": "half", "gametime": "clock"}
NAMES |= {"score": "confidence", "position_ms": "position"}


def read_table(text: str, where: str, game: str) -> Collection:
    """Return the events of a table: a column of classes, and one of times (seconds, milliseconds or a clock).

    A column ``video_time`` tells where the half begins in its video, too.

    game : what lines without a game are of
    """
    lines, found = _read_lines(text, where)
    names = {name: NAMES.get(name.strip().lower(), name.strip().lower()) for name in found}
    if "class" not in names.values() or not {"time", "clock", "position"} & set(names.values()):
        raise UserError(f"{where}: expected columns class and time (or clock), found {', '.join(names) or 'none'}")
    halves: dict[Half, list[Row]] = {}
    periods: dict[Half, Period] = {}
    for number, line in enumerate(lines, start=2):
        row = {names[key]: (value or "").strip() for key, value in line.items() if key in names and value is not None}
        try:
            half, event, start = _event(row, game, where)
        except (ValueError, OverflowError) as error:
            raise UserError(f"{where}, line {number}: {error}: correct the file") from error
        halves.setdefault(half, []).append(event)
        if start is not None:
            periods.setdefault(half, Period(start / 1000))
    predictions = any("confidence" in row for rows in halves.values() for row in rows)
    periods = {half: period for game in {half.game for half in halves} for half, period in _of_game(periods, game)}
    videos = [Video(half, rows, period=periods.get(half)) for half, rows in sorted(halves.items())]
    return Collection(videos, [], predictions)


def write_table(collection: Collection) -> bytes:
    """Return all events as a table, by half; columns that no event fills are left out.

    Labels stand by time, predictions as they do in their file: of equal ones of a metric frame the last one counts.
    """
    out = io.StringIO()
    ordered = sorted(collection.videos, key=lambda each: each.half)
    lines = [
        {**row, **_columns(row, video)}
        for video in ordered
        for row in (video.rows if collection.predictions else sorted(video.rows, key=_position))
    ]
    wanted = [name for name in COLUMNS if name not in OPTIONAL or any(name in line for line in lines)]
    writer = csv.DictWriter(out, wanted, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue().encode()


def _position(row: Row) -> int:
    return int(row["position"])


def _read_lines(text: str, where: str) -> tuple[list[dict[str, str | None]], Sequence[str]]:
    """Return the lines of a table by column, and the names of columns."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    reader = csv.DictReader(io.StringIO(text), dialect=_dialect(text))
    try:
        return list(reader), reader.fieldnames or []
    except csv.Error as error:
        raise UserError(f"{where}: no table that can be read ({error}): give labels or predictions") from error


def _of_game(periods: Mapping[Half, Period], game: str) -> list[tuple[Half, Period]]:
    """Return the periods of a game, each until the next; none where the times are those of a video for each half."""
    found = sorted(half for half in periods if half.game == game)
    starts = [periods[half].start for half in found]
    if starts == [0] or any(a >= b for a, b in pairwise(starts)):
        return []
    return list(zip(found, map(Period, starts, [*starts[1:], math.inf]), strict=True))


def _columns(row: Row, video: Video) -> Row:
    half, position = video.half, row["position"]
    known = {"game": half.game, "half": half.number, "class": row["label"], "time": position / 1000}
    known["clock"] = game_time(half.number, position).partition(" - ")[2]
    if video.period is None:
        return known
    return {**known, "match_clock": match_clock(half.number, position), "video_time": (position + video.start) / 1000}


def _event(row: Row, game: str, where: str) -> tuple[Half, Row, int | None]:
    """Return an event, its half, and the milliseconds of the video at which that begins, where they are known."""
    half, position = _half_and_position(row)
    if not row.get("class"):
        raise ValueError("no class")
    event: Row = {"label": row["class"], "position": position}
    event |= {key: row[key] for key in ("team", "visibility") if row.get(key)}
    event |= {"confidence": float(row["confidence"])} if row.get("confidence") else {}
    number = int(row["half"]) if row.get("half") else half or 1
    if number < 1:
        raise ValueError(f"the half {shorten(number)} is none")
    start = max(0, round(1000 * float(row["video_time"])) - position) if row.get("video_time") else None
    return Half(check_game(row.get("game") or game, where), number), event, start


def _half_and_position(row: Row) -> tuple[int | None, int]:
    """Return the half, where the time tells it, and milliseconds."""
    time = row.get("time")
    if time and ":" not in time:
        return None, round(1000 * float(time))
    if not time and row.get("position"):
        return None, round(float(row["position"]))
    return parse_clock(time or row.get("clock"))


def _dialect(text: str) -> type[csv.Dialect]:
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)

    class Found(csv.excel):
        delimiter = separator

    return Found
