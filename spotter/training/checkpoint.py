"""Checkpoints as users meet them: found, opened safely, and taken apart for fine-tuning."""

from __future__ import annotations

import io
import logging
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from spotter.errors import UserError
from spotter.files import atomic_write
from spotter.training.module import SpottingModule

log = logging.getLogger(__name__)
FORMAT = 1


def open_checkpoint(path: str | Path, key: str = "ckpt") -> dict[str, Any]:
    """Load a spotter checkpoint on the CPU, plain values and tensors only.

    Raises UserError for a missing, damaged or foreign file, and for one of a newer format.
    """
    if not Path(path).is_file():
        raise UserError(f"{key}: no file {str(path)!r}")
    try:
        with warnings.catch_warnings(action="ignore"):  # of foreign pickles, which are refused below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        foreign = isinstance(error, pickle.UnpicklingError)  # torch's text would advise to load it unsafely
        reason = "" if foreign else (str(error).splitlines() or ["it ends too early"])[0]
        raise UserError(
            f"{path}: damaged, or no checkpoint of plain values{f' ({reason})' if reason else ''}"
        ) from error
    if not isinstance(content, dict) or "spotter_format" not in content:
        raise UserError(f"{path}: not a spotter checkpoint; those are written by train.py")
    if content["spotter_format"] not in range(1, FORMAT + 1):
        raise UserError(f"{path}: of format {content['spotter_format']}, this spotter reads up to {FORMAT}; update it")
    lacking = [name for name in ("hyper_parameters", "state_dict") if not isinstance(content.get(name), dict)]
    if lacking:
        raise UserError(f"{path}: damaged, it lacks {' and '.join(lacking)}")
    return content


def load_module(content: dict[str, Any], **changes: Any) -> SpottingModule:
    """Build the module of an opened checkpoint, with single hyper-parameters changed, and load its weights.

    Raises UserError where they do not fit together.
    """
    try:
        module = SpottingModule(**{**content["hyper_parameters"], **changes})
        module.load_state_dict(content["state_dict"])
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise UserError(f"ckpt: its weights and settings do not fit ({' '.join(str(error).split())})") from error
    return module


def write_module(path: str | Path, module: SpottingModule, settings: Mapping[str, Any]) -> None:
    """Write a module that was not trained here as a checkpoint; ``settings`` are its hyper-parameters."""
    buffer = io.BytesIO()
    content = {"spotter_format": FORMAT, "hyper_parameters": dict(settings), "state_dict": module.state_dict()}
    torch.save(content, buffer)
    atomic_write(path, buffer.getvalue())


def check_fits(module: SpottingModule, content: dict[str, Any], path: str | Path) -> None:
    """Raise UserError unless training can go on from an opened checkpoint: the same network, head and schedule."""
    theirs, ours = content["hyper_parameters"], module.hparams
    differ = [key for key in ("schedule", "sam") if theirs.get(key, ours[key]) != ours[key]]
    shapes = {name: value.shape for name, value in content["state_dict"].items()}
    if shapes != {name: value.shape for name, value in module.state_dict().items()}:
        differ.insert(0, "network or head")
    if differ:
        said = f"ckpt: {path} is of another {', '.join(differ)} than this model"
        raise UserError(f"{said}; go on as it began, or begin anew with its weights: model.init_from={path}")


def init_from(module: SpottingModule, path: str | Path) -> None:
    """Take every tensor of a checkpoint that fits by name and shape, and say which did not."""
    theirs = open_checkpoint(path, "model.init_from")["state_dict"]
    ours = module.state_dict()
    fits = {name: value for name, value in theirs.items() if name in ours and ours[name].shape == value.shape}
    if not fits:
        raise UserError(f"model.init_from: not one of the {len(theirs)} tensors in {path} fits this model")
    module.load_state_dict(fits, strict=False)
    log.info("took %d of %d tensors from %s", len(fits), len(ours), path)
    for title, names in (("left as they were", ours.keys() - fits), ("not used", theirs.keys() - fits)):
        if names:
            log.info("%s: %s", title, ", ".join(sorted(names)))


def newest_unfinished(folder: Path) -> Path:
    """Return ``checkpoints/last.ckpt`` of the newest run in ``folder`` that has not written its ``metrics.json``."""
    runs = [path.parent.parent for path in folder.glob("*/checkpoints/last.ckpt")]
    unfinished = [run for run in runs if not (run / "metrics.json").is_file()]
    if not unfinished:
        raise UserError(f"ckpt=last: no unfinished run in {folder}; give ckpt=PATH, or leave it out to start anew")
    return max(unfinished, key=lambda run: run.name) / "checkpoints" / "last.ckpt"
