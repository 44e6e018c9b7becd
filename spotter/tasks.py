"""What is spotted: the classes, where their labels stand, and how results are scored. Data, not code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from spotter.errors import UserError

ASSETS = Path(__file__).parent / "assets"
MONITORS = (
    *(f"{tolerance}_map{view}" for tolerance in ("tight", "loose") for view in ("", "_shown", "_unshown")),
    *(f"map_at_{seconds}" for seconds in range(1, 6)),
)


@dataclass(frozen=True, slots=True)
class Task:
    """Describe one spotting task; the only place where data sets differ.

    classes : in metric order, spelled as in the label files
    label_file : name of the annotation file in a game's folder
    fps : frames per second at which the metric quantises time
    monitor : the score that checkpoints, early stopping and sweeps use, without its ``val/``
    halves : the halves that a game has
    """

    name: str
    classes: tuple[str, ...]
    label_file: str
    fps: int
    monitor: str
    halves: tuple[int, ...] = (1, 2)

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
            known = ", ".join(sorted(file.stem for file in (ASSETS / "tasks").glob("*.yaml")))
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
        missing, unknown = required - set(content), set(content) - required - {"halves"}
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
        if content["monitor"] not in MONITORS:
            raise UserError(f"{where}: monitor {content['monitor']!r} is unknown: give one of {', '.join(MONITORS)}")
        if not isinstance(halves, Sequence) or list(halves) not in ([1], [1, 2]):
            raise UserError(f"{where}: halves must be [1] or [1, 2], found {halves!r}")
        return cls(
            name=str(content["name"]),
            classes=tuple(classes),
            label_file=str(content["label_file"]),
            fps=content["fps"],
            monitor=content["monitor"],
            halves=tuple(halves),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the task as plain values, as checkpoints hold it."""
        return {**asdict(self), "classes": list(self.classes), "halves": list(self.halves)}
