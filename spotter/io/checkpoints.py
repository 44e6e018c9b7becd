"""Checkpoint files: opened safely, plain values and tensors only."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from spotter.errors import UserError

FORMAT = 1
RENAMED = {  # networks, heads and targets as version 0.1 named them, below spotter.
    "models.calf.Calf": "models.calf.network.Calf",
    "models.calf_head.CalfHead": "models.calf.head.CalfHead",
    "data.context.ContextTargets": "models.calf.targets.ContextTargets",
    "models.e2e_spot.E2ESpot": "models.e2e_spot.network.E2ESpot",
    "models.heads.DenseHead": "models.blocks.heads.DenseHead",
    "models.heads.WindowHead": "models.blocks.heads.WindowHead",
    "models.heads.FrameHead": "models.blocks.heads.FrameHead",
    "models.window_heads.OffsetHead": "models.blocks.window_heads.OffsetHead",
    "models.window_heads.PositionHead": "models.blocks.window_heads.PositionHead",
    "data.targets.DenseTargets": "models.blocks.targets.DenseTargets",
    "data.targets.WindowTargets": "models.blocks.targets.WindowTargets",
    "data.targets.FrameTargets": "models.blocks.targets.FrameTargets",
    "data.window_targets.OffsetTargets": "models.blocks.window_targets.OffsetTargets",
    "data.window_targets.PositionTargets": "models.blocks.window_targets.PositionTargets",
}


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
    for part in content["hyper_parameters"].values():
        if isinstance(part, dict) and str(part.get("_target_", "")).startswith("spotter."):
            name = part["_target_"].removeprefix("spotter.")
            part["_target_"] = f"spotter.{RENAMED.get(name, name)}"
    return content
