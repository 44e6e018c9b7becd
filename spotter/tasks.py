"""A task: its classes, where their labels stand, and how results are scored. Data, not code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from spotter.errors import UserError

ASSETS = Path(__file__).parent / "assets"
MONITORS = (
    *(f"{tolerance}_map{view}" for tolerance in ("tight", "loose") for view in ("", "_shown", "_unshown")),
    *(f"map_at_{seconds}" for seconds in range(1, 6)),
)
SHORT = {"tight": "tight_map", "loose": "loose_map"} | {f"at_{n}": f"map_at_{n}" for n in range(1, 6)}


def full_name(key: str) -> str:
    """Return a logged key with the full name of its score, which may be typed short, as ``tight`` or ``at_1``.

    >>> full_name("val/at_1"), full_name("tight_map"), full_name("val/loss")
    ('val/map_at_1', 'tight_map', 'val/loss')
    """
    prefix, slash, name = key.rpartition("/")
    return f"{prefix}{slash}{SHORT.get(name, name)}"


def monitor_name(text: str) -> str:
    """Return the name in ``MONITORS`` of a score, which may be typed short; raises UserError for an unknown one."""
    name = full_name(text)
    if name not in MONITORS:
        raise UserError(f"monitor {text!r} is unknown: give one of {', '.join(MONITORS)}")
    return name


@dataclass(frozen=True)
class Task:
    """Describe one spotting task; the only place where data sets differ.

    classes : in metric order, spelled as in the label files
    label_file : name of the annotation file in a game's folder
    fps : frames per second at which the metric quantises time
    monitor : the score that checkpoints, early stopping and sweeps use, without its ``val/``
    halves : numbers of the halves that a game has
    format : name of the annotation format, see ``spotter.io.formats``
    class_key : the key of an annotation entry that holds its class
    """

    name: str
    classes: tuple[str, ...]
    label_file: str
    fps: int
    monitor: str
    halves: tuple[int, ...] = (1, 2)
    format: str = "soccernet"
    class_key: str = "label"

    @cached_property
    def _find(self) -> Callable[[str], int | None]:  # kept, for class_of is called for every entry of every file
        return {name: index for index, name in enumerate(self.classes)}.get

    def class_of(self, entry: Mapping[str, Any]) -> int | None:
        """Return the class of an annotation or prediction entry, None where the task has no such class.

        Raises UserError where the entry does not name a class at all.
        """
        try:
            return self._find(entry[self.class_key])
        except KeyError as error:
            raise UserError(f"lacks {self.class_key!r}") from error
        except TypeError as error:
            raise UserError(f"has the {self.class_key} {entry[self.class_key]!r}, not text") from error

    def class_name(self, entry: Mapping[str, Any]) -> str:
        """Return what an entry calls its class, whether the task has such a class or not."""
        return str(entry[self.class_key])

    def entry_of(self, index: int) -> dict[str, Any]:
        """Return the part of an entry that names a class; ``class_of`` returns that class again."""
        return {self.class_key: self.classes[index]}

    @classmethod
    def load(cls, source: str | Path | Mapping[str, Any]) -> Task:
        """Load a task by its name, from a YAML file or from a mapping.

        Raises UserError for an unknown name, an unreadable file, a missing or a wrong key.
        """
        if isinstance(source, Mapping):
            return cls._from_mapping(source, where="the task")
        path = ASSETS / "tasks" / f"{source}.yaml"
        if not path.is_file():
            path = Path(source)
        if not path.is_file():
            known = ", ".join(shipped_tasks())
            raise UserError(f"task {str(source)!r} is unknown: give one of {known}, or the path of a YAML file")
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
            raise UserError(f"{path}: not a readable YAML file ({' '.join(str(error).split())})") from error
        if not isinstance(content, Mapping):
            raise UserError(f"{path}: expected the keys name, classes, label_file, fps, monitor")
        return cls._from_mapping(content, where=str(path))

    @classmethod
    def _from_mapping(cls, content: Mapping[str, Any], where: str) -> Task:
        required = {"name", "classes", "label_file", "fps", "monitor"}
        missing, unknown = required - set(content), set(content) - required - {"halves", "format", "class_key"}
        if missing or unknown:
            named = [f"lacks {key!r}" for key in sorted(missing)]
            named += [f"has the unknown key {key!r}" for key in sorted(map(str, unknown))]
            raise UserError(f"{where} {' and '.join(named)}: it needs exactly {', '.join(sorted(required))}")
        classes, halves = content["classes"], content.get("halves", (1, 2))
        listed = isinstance(classes, Sequence) and not isinstance(classes, str)
        if not listed or not classes or not all(isinstance(name, str) for name in classes):
            raise UserError(f"{where}: classes must be a list of names, found {classes!r}")
        if len(set(classes)) != len(classes):
            raise UserError(f"{where}: a class is listed twice in {list(classes)}")
        if not isinstance(content["fps"], int) or isinstance(content["fps"], bool) or content["fps"] < 1:
            raise UserError(f"{where}: fps must be a whole number of frames per second, found {content['fps']!r}")
        try:
            monitor = monitor_name(str(content["monitor"]))
        except UserError as error:
            raise UserError(f"{where}: {error}") from error
        if not _are_halves(halves):
            raise UserError(f"{where}: halves must be a list of numbers from 1 up, as [1, 2], found {halves!r}")
        return cls(
            name=str(content["name"]),
            classes=tuple(classes),
            label_file=str(content["label_file"]),
            fps=content["fps"],
            monitor=monitor,
            halves=tuple(sorted(halves)),
            format=str(content.get("format", cls.format)),
            class_key=str(content.get("class_key", cls.class_key)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the task as plain values, as checkpoints hold it."""
        return {**asdict(self), "classes": list(self.classes), "halves": list(self.halves)}


def shipped_tasks() -> list[str]:
    """Return the names of the tasks that ship with spotter."""
    return sorted(file.stem for file in (ASSETS / "tasks").glob("*.yaml"))


def _are_halves(numbers: object) -> bool:
    if not isinstance(numbers, Sequence) or isinstance(numbers, str) or not numbers:
        return False
    whole = all(isinstance(number, int) and not isinstance(number, bool) and number >= 1 for number in numbers)
    return whole and len(set(numbers)) == len(numbers)
