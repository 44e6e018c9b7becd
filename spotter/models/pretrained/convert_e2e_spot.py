"""Convert a released E2E-Spot checkpoint to one of spotter: its names, its order of classes, and its input."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from spotter.data.source import ImageSpec, InputSpec
from spotter.errors import UsageError, UserError
from spotter.io.checkpoints import write_checkpoint
from spotter.models.pretrained.e2e_spot import E2ESpotCheckpoint, read_e2e_spot
from spotter.models.pretrained.options import ImportOptions
from spotter.models.pretrained.tensors import check_classes
from spotter.models.system import System
from spotter.settings import ClipConfig
from spotter.tasks import Task
from spotter.types import Plain

# By data set: the task, frames a second, and the frames on both sides that its suppression clears.
DATASETS: dict[str, tuple[str, str, int]] = {
    "soccernetv2": ("soccernet-v2", "25/12", 2),
    "soccernet_ball": ("ball-2023", "25", 25),
}
MARGIN = 1  # frames, for all other data sets
SIZE = (224, 398)
# What class scores come out of, by their rows, and what takes them in again, by its columns.
ROWS = re.compile(r"head\.classes\.(weight|bias)|network\.temporal\.(stages|encoder|decoders)(\.\d+)?\.conv_out\.\w+")
COLUMNS = re.compile(r"network\.temporal\.(stages\.[1-9]|decoders\.\d+)\.conv_1x1\.weight")


def convert_e2e_spot(checkpoint: str | Path, out: str | Path, options: ImportOptions) -> Plain:
    """Do what ``convert_published`` does; data sets other than SoccerNet-v2 and ball-2023 need a task and fps."""
    for option, value in {"window": options.window, "features": options.features, "pool": options.pool}.items():
        if value is not None:
            raise UsageError(f"--{option}: is for pooling baselines, not for e2e-spot; leave it out")
    found = read_e2e_spot(checkpoint)
    clip_len = options.clip_len or found.config.get("clip_len")
    if not clip_len:
        raise UserError(f"{found.path}: no config.json beside it, which holds the clip length")
    dataset = str(found.config.get("dataset", "not named"))
    known = DATASETS.get(dataset, (None, None, MARGIN))
    task, fps = options.task or known[0], options.fps or known[1]
    if not task or not fps:
        lacking = " and ".join(option for option, value in (("--task", task), ("--fps", fps)) if not value)
        raise UserError(f"{found.path}: of data set {dataset!r}, which spotter does not know: give {lacking}")
    spec = InputSpec.video(fps, ImageSpec(SIZE, crop_of(found.config)))
    settings = _settings(found, Task.load(task), spec, int(clip_len), known[2])
    system = System.build(settings)
    system.load_state_dict(reorder_classes(found.state, system.task.classes))
    write_checkpoint(out, settings, system.state_dict())
    return settings


def reorder_classes(state: dict[str, Tensor], classes: tuple[str, ...]) -> dict[str, Tensor]:
    """Put classes, which that codebase sorts by name, into the order of the task; the background stays first."""
    theirs = sorted(classes)
    order = torch.tensor([0, *(1 + theirs.index(name) for name in classes)])
    state = {name: value[order] if ROWS.fullmatch(name) else value for name, value in state.items()}
    return {name: value[:, order] if COLUMNS.fullmatch(name) else value for name, value in state.items()}


def _settings(found: E2ESpotCheckpoint, task: Task, spec: InputSpec, clip_len: int, margin: int) -> Plain:
    """Return the hyper-parameters of the checkpoint."""
    check_classes(found.path, found.classes, task)
    plan = ClipConfig(clip_len, overlap=0.5, sampling="uniform", per_epoch=500_000 // clip_len)
    return {
        "task": task.to_dict(),
        "source": spec.to_dict(),
        "network": {"_target_": "spotter.models.e2e_spot.network.E2ESpot", **found.network},
        "head": {
            "_target_": "spotter.models.blocks.frame.FrameHead",
            "foreground_weight": 5.0,
            "dropout": 0.0 if found.network["temporal"] == "none" else 0.5,
            "dilate": int(found.config.get("dilate_len") or 0),
        },
        "clips": plan.to_dict(),
        "postprocess": {"method": "nms", "window": 2 * margin / spec.fps, "threshold": 0.0},
        "optimizer": {"lr": 1e-3, "weight_decay": 1e-2, "final_lr": 0.0},
    }


def crop_of(config: Plain) -> tuple[int, int] | None:
    """Return the height and width of the part that a codebase shows, by its config; None for all."""
    side = config.get("crop_dim") or 0
    return (int(side), int(side)) if side > 0 else None
