"""Published records that the other sports are prepared from: compressed JSON, a line for each."""

from __future__ import annotations

import lzma
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spotter.bounded import MOST_JSON, parse_json
from spotter.checks import is_integer
from spotter.cli.out_folder import check_folder
from spotter.errors import UserError, shorten
from spotter.io.splits import SPLITS_FILE, read_splits

Record = dict[str, Any]


def read_records(path: Path, what: str, find_wrong: Callable[[Record], str | None]) -> list[Record]:
    """Read all lines of a .jsonl.xz file.

    what : they are, for messages
    find_wrong : returns a key of a record whose value cannot be, or None
    Raises UserError where the file cannot be read, and naming the first line that is not as it should be.
    """
    try:
        with lzma.open(path) as file:
            lines = enumerate(iter(lambda: file.readline(MOST_JSON + 1), b""), start=1)
            return [_parse(line, f"{path} line {number}", what, find_wrong) for number, line in lines]
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise UserError(f"{path}: no readable {what} ({error}): get the file again") from error


def check_splits(root: Path, splits: Mapping[str, Sequence[str]], what: str) -> None:
    """Raise UserError for games that are named twice, and where ``root`` is a file, or a tree of other games.

    what : they are, for messages
    """
    check_folder(root, "ROOT")
    games = [game for listed in splits.values() for game in listed]
    if len(set(games)) < len(games):
        raise UserError(f"{Counter(games).most_common(1)[0][0]}: two {what} have this name: get the file again")
    path = root / SPLITS_FILE
    there = [game for listed in read_splits(path).values() for game in listed] if path.is_file() else []
    if others := set(there) - set(games):
        raise UserError(f"{path}: lists other games, such as {min(others)}: give a folder of its own")


def _parse(line: bytes, where: str, what: str, find_wrong: Callable[[Record], str | None]) -> Record:
    record = parse_json(line, where)
    if not isinstance(record, dict):
        raise UserError(f"{where}: holds no object, as {what} are: get the file again")
    if key := find_wrong(record):
        raise UserError(f"{where}: {key} is {shorten(record.get(key))}, which no {what} have: get the file again")
    return record


def are_whole(values: object) -> bool:
    """Return whether values are a list of whole numbers."""
    return isinstance(values, list) and all(is_whole(value) for value in values)


def is_whole(value: object, least: int = 0) -> bool:
    """Return whether a value is a whole number, not below the least and not beyond 32 bits."""
    return is_integer(value) and least <= value < 1 << 31
