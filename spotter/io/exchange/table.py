"""Events as CSV: one line each, with a line of column names."""

from __future__ import annotations

import csv
import io

from spotter.errors import UserError, shorten
from spotter.io.exchange.collection import Collection, Row, Video, parse_clock
from spotter.io.game_files import check_game
from spotter.types import Half

COLUMNS = ("game", "half", "time", "clock", "class", "team", "visibility", "confidence")
NAMES = {"label": "class", "action": "class", "event": "class", "period": "half", "gametime": "clock"}
NAMES |= {"score": "confidence", "position_ms": "position"}


def read_table(text: str, where: str, game: str) -> Collection:
    """Return the events of a table: a column of classes, and one of times (seconds, milliseconds or a clock).

    game : what lines without a game are of
    """
    reader = csv.DictReader(io.StringIO(text), dialect=_dialect(text))
    names = {name: NAMES.get(name.strip().lower(), name.strip().lower()) for name in reader.fieldnames or []}
    if "class" not in names.values() or not {"time", "clock", "position"} & set(names.values()):
        raise UserError(f"{where}: expected columns class and time (or clock), found {', '.join(names) or 'none'}")
    halves: dict[Half, list[Row]] = {}
    for number, line in enumerate(reader, start=2):
        row = {names[key]: (value or "").strip() for key, value in line.items() if key in names and value is not None}
        try:
            half, event = _event(row, game, where)
        except (ValueError, OverflowError) as error:
            raise UserError(f"{where}, line {number}: {error}: correct the file") from error
        halves.setdefault(half, []).append(event)
    predictions = any("confidence" in row for rows in halves.values() for row in rows)
    return Collection([Video(half, rows) for half, rows in sorted(halves.items())], [], predictions)


def write_table(collection: Collection) -> bytes:
    """Return all events as a table, by video and time; columns that no event fills are left out."""
    out = io.StringIO()
    rows = [row for video in collection.videos for row in video.rows]
    wanted = [name for name in COLUMNS if name not in COLUMNS[5:] or any(name in row for row in rows)]
    writer = csv.DictWriter(out, wanted, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for video in sorted(collection.videos, key=lambda each: each.half):
        for row in sorted(video.rows, key=lambda each: int(each["position"])):
            writer.writerow({**row, **_columns(row, video.half)})
    return out.getvalue().encode()


def _columns(row: Row, half: Half) -> Row:
    minutes, rest = divmod(max(row["position"], 0), 60_000)
    clock = f"{minutes:02d}:{rest // 1000:02d}"
    known = {"game": half.game, "half": half.number, "class": row["label"]}
    return {**known, "time": row["position"] / 1000, "clock": clock}


def _event(row: Row, game: str, where: str) -> tuple[Half, Row]:
    half, position = None, 0
    if row.get("time"):
        position = parse_clock(row["time"])[1] if ":" in row["time"] else round(1000 * float(row["time"]))
    elif row.get("position"):
        position = round(float(row["position"]))
    else:
        half, position = parse_clock(row.get("clock"))
    if not row.get("class"):
        raise ValueError("no class")
    event: Row = {"label": row["class"], "position": position}
    event |= {key: row[key] for key in ("team", "visibility") if row.get(key)}
    event |= {"confidence": float(row["confidence"])} if row.get("confidence") else {}
    number = int(row["half"]) if row.get("half") else half or 1
    if number < 1:
        raise ValueError(f"the half {shorten(number)} is none")
    return Half(check_game(row.get("game") or game, where), number), event


def _dialect(text: str) -> type[csv.Dialect]:
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)

    class Found(csv.excel):
        delimiter = separator

    return Found
