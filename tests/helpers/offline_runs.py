"""Read back what W&B keeps of an offline run: a log of protocol buffers in blocks, as LevelDB writes them."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

BLOCK, HEADER = 32768, 7  # bytes; checksum, length and kind come before every piece of a record
WHOLE, LAST = 1, 4


def records(path: Path) -> Iterator[Record]:
    """Yield the records of a ``.wandb`` file."""
    content, position, pieces = path.read_bytes(), HEADER, b""  # the file itself begins with 7 bytes of its own
    while position + HEADER <= len(content):
        left = BLOCK - position % BLOCK
        if left < HEADER:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", content[position : position + HEADER])
        position += HEADER + length
        pieces += content[position - length : position]
        if kind in (WHOLE, LAST):
            record = Record()
            record.ParseFromString(pieces)
            pieces = b""
            yield record


class OfflineRun:
    """Hold one offline run: its settings, config, history, summary, definitions of metrics, and artifacts."""

    def __init__(self, folder: Path) -> None:
        (path,) = folder.glob("*.wandb")
        self.files = folder / "files"
        self.run: Any = None
        self.exit: int | None = None
        self.config: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.metrics: dict[str, Any] = {}
        self.artifacts: list[Any] = []
        for record in records(path):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                self.run = record.run
            elif kind == "config":
                self.config |= _values(record.config.update)
            elif kind == "history":
                self.history.append(_values(record.history.item))
            elif kind == "summary":
                self.summary |= _values(record.summary.update)
            elif kind == "metric":
                self.metrics[record.metric.name or record.metric.glob_name] = record.metric
            elif kind == "artifact":
                self.artifacts.append(record.artifact)
            elif kind == "exit":
                self.exit = record.exit.exit_code

    def table(self, path: str) -> list[dict[str, Any]]:
        """Return a logged table as rows by column."""
        content = json.loads((self.files / path).read_text(encoding="utf-8"))
        return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]

    def logged(self, key: str) -> list[dict[str, Any]]:
        """Return the rows of the history that have a key."""
        return [row for row in self.history if key in row]


def offline_runs(folder: Path, limit: float = 10.0) -> list[OfflineRun]:
    """Return the offline runs that a run's folder holds, the earliest first.

    W&B's own process may still be writing when training has ended: its last record is waited for, ``limit`` seconds.
    """
    end = time.monotonic() + limit
    while True:
        runs = [OfflineRun(path) for path in sorted(folder.glob("wandb/offline-run-*"))]
        if all(run.exit is not None for run in runs) or time.monotonic() > end:
            return runs
        time.sleep(0.1)


def _values(items: Any) -> dict[str, Any]:
    return {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}
