"""Read the tensors of other codebases' checkpoints, and check that they are those of a network."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from spotter.errors import UserError


def plain_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name, on the CPU; nothing in the file is executed.

    Raises UserError for a file that is damaged or holds other objects than plain values.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: damaged, or no checkpoint of plain tensors") from error
    content = content.get("state_dict", content) if isinstance(content, dict) else {}
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
