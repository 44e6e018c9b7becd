"""Options that several commands share."""

from __future__ import annotations

import argparse
import math
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


def parse_fraction(text: str) -> float:
    """Return a number between 0 and 1, the type of an argument."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, found {text!r}")
    return value


def parse_count(text: str) -> int:
    """Return a whole number from 0 up, the type of an argument."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, found {text!r}")
    return int(text)


def check_positive(option: str, value: int) -> None:
    """Raise UsageError for a count below 1."""
    if value < 1:
        raise UsageError(f"--{option}: expected at least 1, found {value}")


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
