"""A task: its classes, where their labels stand, and how results are scored. Data, not code."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.bounded import read_yaml
from spotter.checks import check_choice, check_integer, is_integer
from spotter.errors import UserError, shorten

ASSETS = Path(__file__).parent / "assets"
MONITORS = (
    *(f"{tolerance}_map{view}" for tolerance in ("tight", "loose") for view in ("", "_shown", "_unshown")),
    *(f"map_at_{seconds}" for seconds in range(1, 6)),
)
TEAM_MONITORS = (
    *(f"{tolerance}_team_map{ending}" for tolerance in ("tight", "loose") for ending in ("", "_present")),
    *(f"team_map_at_{seconds}{ending}" for seconds in range(1, 6) for ending in ("", "_present")),
)
ANTICIPATION_MONITORS = ("map_at_inf", "anticipation_map")
TEAM = "team"  # the key of an entry that holds it
SIDES = ("left", "right")  # teams by where they stand in the image
PLAIN_NAME = re.compile(r"[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,99}")  # of a file in some folder
MOST_NUMBERS = 100  # of tolerances or halves
REPLAY_GROUNDING = "replay-grounding"
ANTICIPATION = "anticipation"
AVERAGE_MAP = "average-map"
METRICS = (AVERAGE_MAP, REPLAY_GROUNDING, ANTICIPATION)
SHORT = {name: f"{name}_map" for name in ("tight", "loose", "frames", "anticipation")}


def full_name(key: str) -> str:
    """Return a logged key with the full name of its score, which may be typed short, as ``tight`` or ``at_1``.

    >>> full_name("val/at_1"), full_name("within_0"), full_name("tight_map"), full_name("val/loss")
    ('val/map_at_1', 'map_within_0', 'tight_map', 'val/loss')
    """
    prefix, slash, name = key.rpartition("/")
    short = re.fullmatch(r"(team_)?(at_[1-5]|at_inf|within_\d+)(_present)?", name)
    full = f"{short[1] or ''}map_{short[2]}{short[3] or ''}" if short else SHORT.get(name, name)
    return f"{prefix}{slash}{full}"


def monitors(tolerances: Sequence[int] = (), teams: bool = False, anticipates: bool = False) -> tuple[str, ...]:
    """Return the names of all scores of a task, as they are logged.

    tolerances, teams : of the task, see ``Task``
    anticipates : whether what comes after a clip is scored
    """
    framed = (*(f"map_within_{frames}" for frames in tolerances), *(("frames_map",) if tolerances else ()))
    return (*MONITORS, *(TEAM_MONITORS if teams else ()), *framed, *(ANTICIPATION_MONITORS if anticipates else ()))


def monitor_name(
    text: str, tolerances: Sequence[int] | None = None, teams: bool = True, anticipates: bool = True
) -> str:
    """Return the full name of a score, which may be typed short; raises UserError for an unknown one.

    tolerances : those that the task has, None for a score of any task
    teams, anticipates : see ``monitors``
    """
    name = full_name(text)
    if tolerances is None:
        tolerances = [int(frames) for frames in re.findall(r"^map_within_(\d+)$", name)] or [0]
    known = monitors(tolerances, teams, anticipates)
    if name not in known:
        raise UserError(f"monitor {shorten(text)} is unknown: give one of {', '.join(known)}")
    return name


@dataclass(frozen=True)
class Task:
    """Describe one spotting task; the only place where data sets differ.

    classes : in metric order, spelled as in the label files
    label_file : name of the annotation file in a game's folder
    fps : frames per second at which the metric quantises time
    monitor : the score that checkpoints, early stopping and sweeps use, without its ``val/``
    tolerances : in metric frames to each side, at which the task is also scored as E2E-Spot does; mostly none
    halves : numbers of the halves that a game has
    format : name of the annotation format, see ``spotter.io.formats``
    class_key : the key of an annotation entry that holds its class
    teams : two, as label files name them, where the task asks which of them acted; left and right are what the image
        shows, so that a mirrored one shows the other
    strict : as the kit of 2025, refuse labels and predictions outside the task, and do not read a prediction's half
    any_case : read a class in capitals or not
    metric : one of ``METRICS``
    splits : the task whose official games are those of this one; by default itself
    """

    name: str
    classes: tuple[str, ...]
    label_file: str
    fps: int
    monitor: str
    tolerances: tuple[int, ...] = ()
    halves: tuple[int, ...] = (1, 2)
    format: str = "soccernet"
    class_key: str = "label"
    teams: tuple[str, ...] = ()
    strict: bool = False
    any_case: bool = False
    metric: str = AVERAGE_MAP
    splits: str = ""

    @property
    def sides(self) -> int:
        """Return how many columns of scores a class has: one for each team, or one."""
        return max(1, len(self.teams))

    @property
    def shows_sides(self) -> bool:
        """Return whether teams are sides of the image, which change places where it is mirrored."""
        return self.teams == SIDES

    @property
    def columns(self) -> tuple[str, ...]:
        """Return what the columns of scores stand for: each class, by team where the task has such."""
        return tuple(f"{name}-{team}" for name in self.classes for team in self.teams) if self.teams else self.classes

    def by_team(self) -> Task:
        """Return the task without teams whose classes are the ``columns``."""
        monitor = self.monitor.replace("team_map", "map").removesuffix("_present")
        return replace(self, classes=self.columns, teams=(), any_case=False, monitor=monitor)

    def team_of(self, named: NDArray[np.str_] | None, count: int) -> NDArray[np.int64]:
        """Return the index into ``teams`` of what ``count`` entries name, -1 where it is none of them: (N,)."""
        if named is None:
            return np.full(count, -1)
        known = named[:, None] == np.array(self.teams, dtype=np.str_)
        return np.where(known.any(axis=1), known.argmax(axis=1), -1) if self.teams else np.full(count, -1)

    @cached_property
    def _find(self) -> Callable[[str], int | None]:  # kept, for class_of is called for every entry of every file
        if self.any_case:
            return _Folded((name.casefold(), index) for index, name in enumerate(self.classes)).find
        return {name: index for index, name in enumerate(self.classes)}.get

    def class_called(self, name: str) -> int | None:
        """Return the class of a name, None where the task has no such class."""
        return self._find(name)

    def class_of(self, entry: Mapping[str, Any]) -> int | None:
        """Return the class of an annotation or prediction entry, None where the task has no such class.

        Raises UserError where the entry does not name a class at all.
        """
        try:
            return self.class_called(entry[self.class_key])
        except KeyError as error:
            raise UserError(f"lacks {self.class_key!r}") from error
        except (TypeError, AttributeError) as error:
            raise UserError(f"has the {self.class_key} {shorten(entry[self.class_key])}, not text") from error

    def class_name(self, entry: Mapping[str, Any]) -> str:
        """Return what an entry calls its class, whether the task has such a class or not."""
        return str(entry[self.class_key])

    def entry_of(self, index: int, team: int = -1) -> dict[str, Any]:
        """Return the part of an entry that names a class, and its team unless that is -1.

        ``class_of`` returns that class again.
        """
        return {self.class_key: self.classes[index], **({TEAM: self.teams[team]} if team >= 0 else {})}

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
        content = read_yaml(path)
        if not isinstance(content, Mapping):
            raise UserError(f"{path}: expected the keys name, classes, label_file, fps, monitor")
        return cls._from_mapping(content, where=str(path))

    @classmethod
    def load_stored(cls, value: object) -> Task:
        """Load a task that a checkpoint or a file of scores holds; a name is one that ships, no path is followed."""
        if isinstance(value, Mapping) or (isinstance(value, str) and value in shipped_tasks()):
            return cls.load(value)
        raise UserError(f"the task {shorten(value)} is unknown: give one of {', '.join(shipped_tasks())}")

    @classmethod
    def _from_mapping(cls, content: Mapping[str, Any], where: str) -> Task:
        _check_keys(content, where)
        _check_values(content, where)
        teams, tolerances = content.get("teams", ()), content.get("tolerances", ())
        metric = content.get("metric", cls.metric)
        try:
            monitor = monitor_name(str(content["monitor"]), tolerances, bool(teams), metric == ANTICIPATION)
        except UserError as error:
            raise UserError(f"{where}: {error}") from error
        return cls(
            name=str(content["name"]),
            classes=tuple(content["classes"]),
            label_file=str(content["label_file"]),
            fps=content["fps"],
            monitor=monitor,
            tolerances=tuple(sorted(tolerances)),
            halves=tuple(sorted(content.get("halves", cls.halves))),
            format=str(content.get("format", cls.format)),
            class_key=str(content.get("class_key", cls.class_key)),
            metric=str(metric),
            teams=tuple(teams),
            strict=content.get("strict", False),
            any_case=content.get("any_case", False),
            splits=str(content.get("splits") or ""),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the task as plain values, as checkpoints hold it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def _check_keys(content: Mapping[str, Any], where: str) -> None:
    required = [field.name for field in fields(Task) if field.default is MISSING]
    optional = [field.name for field in fields(Task) if field.default is not MISSING]
    missing, unknown = set(required) - set(content), set(content) - {*required, *optional}
    if missing or unknown:
        named = [f"lacks {key!r}" for key in sorted(missing)]
        named += [f"has the unknown key {shorten(key)}" for key in sorted(map(str, unknown))[:3]]
        raise UserError(
            f"{where} {' and '.join(named)}: it needs {', '.join(required)}, and may have {', '.join(optional)}"
        )


def _check_values(content: Mapping[str, Any], where: str) -> None:
    """Raise UserError for a value that a task cannot have; of the monitor, see ``monitor_name``."""
    classes, halves, tolerances = content["classes"], content.get("halves", Task.halves), content.get("tolerances", ())
    listed = isinstance(classes, Sequence) and not isinstance(classes, str)
    if not listed or not classes or not all(isinstance(name, str) for name in classes):
        raise UserError(f"{where}: classes must be a list of names, found {shorten(classes)}")
    if len(set(classes)) != len(classes):
        raise UserError(f"{where}: a class is listed twice in {shorten(list(classes))}")
    check_integer(f"{where}: fps", content["fps"], 1)
    teams = content.get("teams", ())
    if isinstance(teams, str) or not isinstance(teams, Sequence) or not _are_two_names_or_none(teams):
        raise UserError(f"{where}: teams must be two different names, as [left, right], found {shorten(teams)}")
    for key in ("strict", "any_case"):
        if not isinstance(content.get(key, False), bool):
            raise UserError(f"{where}: {key} must be true or false, found {shorten(content[key])}")
    if not _are_distinct(tolerances, least=0):
        found = shorten(tolerances)
        raise UserError(f"{where}: tolerances must be a list of frames, as [0, 1, 2, 4], found {found}")
    metric = content.get("metric", AVERAGE_MAP)
    check_choice(f"{where}: metric", metric, METRICS)
    if not _are_distinct(halves, least=1) or not halves:
        raise UserError(f"{where}: halves must be a list of numbers from 1 up, as [1, 2], found {shorten(halves)}")
    for key in ("name", "label_file", *(["splits"] if content.get("splits") else [])):
        if not PLAIN_NAME.fullmatch(str(content[key])):
            raise UserError(f"{where}: {key} must be a plain name, found {shorten(content[key])}")


class _Folded(dict[str, int]):
    """Find classes in capitals or not; a class of its own, for a task travels to other processes."""

    def find(self, name: str) -> int | None:
        return self.get(name.casefold())


def shipped_tasks() -> list[str]:
    """Return the names of the tasks that ship with spotter."""
    return sorted(file.stem for file in (ASSETS / "tasks").glob("*.yaml"))


def _are_two_names_or_none(names: Sequence[object]) -> bool:
    named = [name for name in names if isinstance(name, str) and name]
    return not names or len(names) == len(set(named)) == 2


def _are_distinct(numbers: object, least: int) -> bool:
    if not isinstance(numbers, Sequence) or isinstance(numbers, str):
        return False
    whole = all(is_integer(number) and number >= least for number in numbers)
    return whole and len(set(numbers)) == len(numbers) <= MOST_NUMBERS
