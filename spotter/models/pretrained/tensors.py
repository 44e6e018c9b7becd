"""Read the tensors of other codebases' checkpoints, and check that they are those of a network."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from spotter.checks import is_integer
from spotter.errors import UserError, shorten
from spotter.io.checkpoints import UNREADABLE
from spotter.tasks import Task
from spotter.types import Plain

NUMBERS = ("clip_len", "crop_dim", "dilate_len", "n_layers", "radi_displacement", "sgp_ks")  # of a config.json


def plain_tensors(path: Path, key: str = "state_dict") -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name, on the CPU; nothing in the file is executed.

    key : under which they lie, if they do not lie at the top

    Raises UserError for a file that is damaged or holds other objects than plain values.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise UserError(f"{path}: damaged, or no checkpoint of plain tensors") from error
    content = content.get(key, content) if isinstance(content, dict) else {}
    content = content if isinstance(content, dict) else {}
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def check_tensors(path: Path, ours: Mapping[str, torch.Size], theirs: Mapping[str, torch.Size]) -> None:
    """Raise UserError unless both have the same tensors."""
    differences = {
        "lacks": [name for name in ours if name not in theirs],
        "has the unexpected": [name for name in theirs if name not in ours],
        "has in another shape": [name for name in ours if name in theirs and ours[name] != theirs[name]],
    }
    found = [
        f"{verb} {', '.join(names[:3])}{' …' if len(names) > 3 else ''}" for verb, names in differences.items() if names
    ]
    if found:
        raise UserError(f"{path}: not the network that its keys suggest, it {' and '.join(found)}")


def check_classes(path: Path, classes: int, task: Task) -> None:
    """Raise UserError unless a checkpoint of so many classes has as many as the task."""
    if classes != len(task.classes):
        raise UserError(f"{path}: has {classes} classes, task {task.name} has {len(task.classes)}: give another --task")


def rename(name: str, patterns: Mapping[str, str]) -> str:
    """Return a name after one pattern after the other was replaced in it."""
    for pattern, replacement in patterns.items():
        name = re.sub(pattern, replacement, name)
    return name


def config_beside(path: Path) -> Plain:
    """Return what the ``config.json`` beside a checkpoint states, empty where there is none.

    Raises UserError for what is no JSON, and for a number that is none.
    """
    file = path.with_name("config.json")
    try:
        content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (ValueError, OSError) as error:
        raise UserError(f"{file}: no readable JSON ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected keys such as clip_len, found {type(content).__name__}")
    for key in NUMBERS:
        if content.get(key) is not None and not is_integer(content[key]):
            raise UserError(f"{file}: {key}: expected a whole number, found {shorten(content[key])}")
    return {key: value for key, value in content.items() if value is not None}


def file_at(path: str | Path, suffixes: tuple[str, ...]) -> Path:
    """Return a checkpoint file, or the only one in a folder; raises UserError where there is none, or several."""
    path = Path(path)
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix in suffixes)
        if len(found) != 1:
            names = f" ({', '.join(file.name for file in found[:3])})" if found else ""
            wanted = " or ".join(f"*{suffix}" for suffix in suffixes)
            raise UserError(f"{path}: holds {len(found)} files {wanted}{names}; name the one to read")
        return found[0]
    if not path.is_file():
        raise UserError(f"no checkpoint {str(path)!r}")
    return path
