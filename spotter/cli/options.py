"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from spotter.errors import UsageError
from spotter.tasks import shipped_tasks


def add_task(parser: argparse.ArgumentParser) -> None:
    """Declare ``--task``, with a default that the predictions' own files give."""
    parser.add_argument(
        "--task",
        metavar="NAME|FILE",
        help=f"{', '.join(shipped_tasks())}, or the YAML file of your own task (default: that of the "
        "predictions, or soccernet-v2)",
    )


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Declare ``--trust``."""
    parser.add_argument(
        "--trust", metavar="MODULE", help="import this module of yours, which adds an annotation format"
    )


def parse_named(words: Sequence[str]) -> dict[str, Path]:
    """Return paths by name, from paths or NAME=PATH; a path without a name is its own, and whatever exists is a path.

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
