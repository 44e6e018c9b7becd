"""Published records that the other sports are prepared from: compressed JSON, a line for each."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

from spotter.bounded import MOST_JSON, parse_json
from spotter.errors import UserError


def read_records(path: Path, what: str) -> list[dict[str, Any]]:
    """Read all lines of a .jsonl.xz file; raises UserError, which says ``what`` they are, where they cannot be read."""
    try:
        with lzma.open(path) as file:
            records = [parse_json(line, str(path)) for line in iter(lambda: file.readline(MOST_JSON + 1), b"")]
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise UserError(f"{path}: no readable {what} ({error}): get the file again") from error
    kept = [record for record in records if isinstance(record, dict)]
    if len(kept) < len(records):
        raise UserError(f"{path}: a line holds no object, as {what} are: get the file again")
    return kept
