"""Annotation formats: how labelled spots lie on disk, each behind one protocol, chosen by ``Task.format``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from spotter.errors import UserError
from spotter.io.anticipation import ClipLabels
from spotter.io.exchange.annotations import Exchange
from spotter.io.exchange.files import is_exchange
from spotter.io.soccernet import SoccerNet
from spotter.tasks import Task
from spotter.types import Half, Spots


class AnnotationFormat(Protocol):
    """Read and write labelled spots; only ``Task.class_of`` and ``Task.entry_of`` know how an entry names its class.

    root : a folder, or whatever else the format can be read from
    games : names of games, with ``/`` between their folders
    """

    def games(self, root: str | Path, task: Task) -> list[str]:
        """Return the sorted names of the games that have labels below ``root``."""

    def missing(self, root: str | Path, games: Iterable[str], task: Task) -> dict[str, Path]:
        """Return those of ``games`` that have no labels, each with the file that should hold them."""

    def read(self, root: str | Path, games: Iterable[str], task: Task) -> dict[Half, Spots]:
        """Return the spots of every half of each game, in the order of the file; a half may be empty.

        Raises UserError for a missing or malformed file.
        """

    def write(self, root: str | Path, labels: Mapping[Half, Spots], task: Task) -> None:
        """Write the spots so that ``read`` returns them again."""


SHIPPED: dict[str, AnnotationFormat] = {"soccernet": SoccerNet(), "clips": ClipLabels()}
_own: dict[str, AnnotationFormat] = {}


def format_at(root: str | Path, task: Task) -> AnnotationFormat:
    """Return the format of the labels at ``root``: that of the task, or what a file in another format is in."""
    return Exchange() if is_exchange(root) else format_of(task)


def has_labels(root: str | Path, games: Iterable[str], task: Task) -> bool:
    """Return whether labels of any of these games lie at ``root``."""
    return not set(games).isdisjoint(format_at(root, task).games(root, task))


def register_format(name: str, annotations: AnnotationFormat) -> None:
    """Make an annotation format known; a task then asks for it by ``format: <name>``.

    Of two with the same name the later counts, so that a notebook's cell can be run again. Raises ValueError for the
    name of a format that ships with spotter.
    """
    if name in SHIPPED:
        raise ValueError(f"the annotation format {name!r} is spotter's own: choose another name")
    _own[name] = annotations


def format_of(task: Task) -> AnnotationFormat:
    """Return the annotation format of a task; raises UserError where none of that name is known."""
    known = SHIPPED | _own
    if task.format not in known:
        raise UserError(
            f"task {task.name}: format {task.format!r} is unknown: give one of {', '.join(sorted(known))}, or "
            "name the module that registers it (trust=MODULE, --trust MODULE)"
        )
    return known[task.format]
