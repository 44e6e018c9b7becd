"""What is known of a feature file: the JSON file beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEPTH = 3  # folders between the root of a tree and the files of a game


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return the content of the JSON file beside a feature file, empty where there is none that can be read."""
    import orjson  # here, so that networks, arrays and training do without

    try:
        about = orjson.loads(path.with_suffix(".json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return about if isinstance(about, dict) else {}


def first_sidecar(root: str | Path, file: str) -> dict[str, Any]:
    """Return what is known of the first file ``<game>/{half}_<file>.npy`` below a root, empty where there is none."""
    return next((read_sidecar(path) for path in _files(Path(root), file, DEPTH)), {})


def _files(folder: Path, file: str, depth: int) -> Iterator[Path]:
    """Yield feature files below a folder, without looking into more folders than needed."""
    if not folder.is_dir():
        return
    names = sorted(folder.iterdir())
    yield from (path for path in names if path.name.endswith(f"_{file}.npy") and path.name[0].isdigit())
    for path in names if depth else ():
        if path.is_dir() and not path.name.startswith("."):
            yield from _files(path, file, depth - 1)
