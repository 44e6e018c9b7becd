"""Systems as they are named on a command line: a path, or NAME=PATH."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spotter.errors import UsageError


def parse_named(words: Sequence[str]) -> dict[str, Path]:
    """Return paths by name; a path without a name is its own, and whatever exists is a path.

    Raises UsageError where two have one name.
    """
    named: dict[str, Path] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not name or Path(word).exists():
            name, path = word, word
        if name in named:
            raise UsageError(f"{name}: given twice: give each another name, NAME=PATH")
        named[name] = Path(path)
    return named
