"""Published records that the other sports are prepared from: compressed JSON, a line for each."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import orjson

from spotter.errors import UserError


def read_records(path: Path, what: str) -> list[dict[str, Any]]:
    """Read all lines of a .jsonl.xz file; raises UserError, which says ``what`` they are, where they cannot be read."""
    try:
        with lzma.open(path) as file:
            return [orjson.loads(line) for line in file]
    except (OSError, EOFError, lzma.LZMAError, orjson.JSONDecodeError) as error:
        raise UserError(f"{path}: no readable {what} ({error}): get the file again") from error
