"""Checkpoint files: opened safely, plain values and tensors only."""

from __future__ import annotations

import pickle
import struct
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spotter.errors import UserError, shorten
from spotter.io.files import atomic_file
from spotter.io.hub import local_file
from spotter.io.upgrade import FORMAT, upgrade_settings
from spotter.io.weights import is_weights, read_weights

# what torch.load may end with, for bytes that anybody may have written
UNREADABLE = (
    *(pickle.UnpicklingError, EOFError, OSError, LookupError, TypeError, ValueError, AttributeError, RuntimeError),
    *(AssertionError, ArithmeticError, MemoryError, struct.error),
)
NO_SETTINGS = (LookupError, TypeError, ValueError, AttributeError, RuntimeError)  # the last of tensors in their place
HEAD, HEADS = "head.", "heads."  # before the names of tensors: of the own head, and of those of other label sets
FOREIGN = "; one of another codebase is converted by: spotter import-checkpoint"


def write_checkpoint(path: str | Path, settings: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Write a system that was not trained here: its settings, as plain values, and its weights."""
    save_checkpoint(path, {"spotter_format": FORMAT, "hyper_parameters": dict(settings), "state_dict": dict(state)})


def save_checkpoint(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write the content of a checkpoint, tensor by tensor and never as a second copy in memory.

    It is written beside ``path``, synced to the disk and renamed: whatever happens, the file is the old one or the new.
    Raises OSError naming the file, for a full disk, for example.
    """
    with atomic_file(path, sync=True) as file:
        try:
            torch.save(dict(content), file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # torch's own error hides it
                raise error.__context__ from None
            raise


def open_checkpoint(path: str | Path, key: str = "ckpt") -> dict[str, Any]:
    """Load a spotter checkpoint on the CPU, plain values and tensors only; old settings get their names of today.

    path : a checkpoint, or its weights as ``spotter export-weights`` writes them, told apart by what they begin with;
        either may be on the Hugging Face hub, ``hf://owner/name[@revision]/file``

    Raises UserError for a missing, damaged or foreign file, and for one of a newer format.
    """
    file = local_file(path, key)
    if file.is_dir():
        raise UserError(
            f"{key}: {path} is a folder; give a file, of a run checkpoints/best.ckpt or checkpoints/last.ckpt"
        )
    if not file.is_file():
        raise UserError(f"{key}: no file {str(path)!r}")
    content = read_weights(file) if is_weights(file) else _load(file)
    if not isinstance(content, dict) or "spotter_format" not in content:
        raise UserError(f"{path}: not a spotter checkpoint{FOREIGN}")
    version = content["spotter_format"]
    if not isinstance(version, int) or version not in range(1, FORMAT + 1):
        named = shorten(version).strip("'")
        raise UserError(f"{path}: of format {named}, this spotter reads up to {FORMAT}; update it")
    lacking = [name for name in ("hyper_parameters", "state_dict") if not isinstance(content.get(name), dict)]
    if lacking:
        raise UserError(f"{path}: damaged, it lacks {' and '.join(lacking)}")
    try:
        content["hyper_parameters"] = upgrade_settings(content["hyper_parameters"], content["spotter_format"])
    except NO_SETTINGS as error:
        raise UserError(
            f"{path}: damaged, its settings lack {shorten(error.args[0] if error.args else error)}"
        ) from error
    return content


def choose_label_set(content: Mapping[str, Any], name: str | None = None) -> dict[str, Any]:
    """Return an opened checkpoint with one label set: its own, or another that it was trained on jointly.

    Raises UserError where it was not trained on labels of that name.
    """
    settings, state = content["hyper_parameters"], content["state_dict"]
    others = settings.get("joint")
    others = others if isinstance(others, Mapping) else {}
    if name and not isinstance(others.get(name), Mapping):
        known = ", ".join(map(str, others)) or "none"
        raise UserError(f"label_set: {shorten(name)} is none of the others that the checkpoint knows: {shorten(known)}")
    head, rest = (f"{HEADS}{name}." if name else HEAD), {}
    for key, value in ((str(key), value) for key, value in state.items()):
        if key.startswith(head):
            rest[HEAD + key.removeprefix(head)] = value
        elif not key.startswith((HEAD, HEADS)):
            rest[key] = value
    settings = {**settings, **(others[name] if name else {}), "joint": None}
    return {**content, "hyper_parameters": settings, "state_dict": rest}


def not_finite(state: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield the names of tensors that are not finite."""
    return (name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all())


def _load(path: str | Path) -> object:
    try:
        with warnings.catch_warnings(action="ignore"):  # of foreign pickles, which are refused below
            content: object = torch.load(path, map_location="cpu", weights_only=True)
            return content
    except UNREADABLE as error:
        foreign = isinstance(error, pickle.UnpicklingError)  # torch's text would advise to load it unsafely
        reason = "" if foreign else (str(error).splitlines() or ["it ends too early"])[0][:200]
        reason = f" ({reason})" if reason else ""
        raise UserError(f"{path}: damaged, or no checkpoint of plain values{reason}{FOREIGN}") from error
