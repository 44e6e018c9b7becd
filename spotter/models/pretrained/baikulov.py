"""Checkpoints of Baikulov's ball action spotting: as a network of that codebase, or converted to one of spotter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from spotter.data.source import ImageSpec, InputSpec
from spotter.errors import UserError
from spotter.io.checkpoints import write_checkpoint
from spotter.models.baikulov.head import MiddleHead
from spotter.models.baikulov.network import STACK, Baikulov
from spotter.models.pretrained.options import ImportOptions
from spotter.models.pretrained.tensors import check_classes, check_tensors, file_at, plain_tensors, rename
from spotter.models.system import System
from spotter.settings import ClipConfig
from spotter.tasks import Task
from spotter.types import Plain

NAMES = {  # ours and theirs
    r"^network\.encoder\.": "conv2d_encoder.",
    r"^network\.project2d\.": "conv2d_projection.",
    r"^network\.blocks\.": "conv3d_encoder.",
    r"^network\.project3d\.": "conv3d_projection.",
    r"^network\.pool\.power$": "global_pool.p",
    r"^head\.classes\.1\.": "classifier.",
    r"(encoder\.\d)\.widen\.": r"\1.conv_pw.",
    r"(encoder\.\d)\.norm(\d)\.": r"\1.bn\2.bn3d.",
    r"(encoder\.\d)\.around\.": r"\1.conv_dw.",
    r"(encoder\.\d)\.squeeze\.": r"\1.se.conv_reduce.",
    r"(encoder\.\d)\.excite\.": r"\1.se.conv_expand.",
    r"(encoder\.\d)\.narrow\.": r"\1.conv_pwl.",
}
FPS, STEP = 25, 2


@dataclass(frozen=True)
class BaikulovCheckpoint:
    """Hold a checkpoint under the names of ``BaikulovReference``; ``images`` are those of a window."""

    path: Path
    images: int
    blocks: int
    dim: int
    classes: int
    state: dict[str, Tensor]


class BaikulovReference(nn.Module):
    """Map grey frames (B, T, H, W) from 0 to 1 to logits (B, K) of the middle one, as that codebase does."""

    def __init__(self, images: int, classes: int, blocks: int = 4, dim: int = 256) -> None:
        super().__init__()
        self.network = Baikulov({"video": {"channels": 1}}, images, step=1, blocks=blocks, dim=dim)
        self.head = MiddleHead(self.network.width, classes, images)

    def forward(self, frames: Tensor) -> Tensor:
        """Return logits (B, K); raises ValueError for another number of frames than in training."""
        if frames.shape[1] != self.network.window:
            raise ValueError(f"{frames.shape[1]} frames, but this network was trained with {self.network.window}")
        valid = torch.ones(frames.shape[:2], dtype=torch.bool, device=frames.device)
        return self.head(self.network({"video": frames[:, :, None]}, {}, valid))["logits"][:, 0]


def load_baikulov(path: str | Path, options: ImportOptions) -> BaikulovReference:
    """Return the network of a released checkpoint in eval mode, see ``load_published``."""
    options.refuse("baikulov", "pool", "clip_len")
    found = read_baikulov(path)
    reference = BaikulovReference(found.images, found.classes, found.blocks, found.dim)
    reference.load_state_dict(found.state)
    return reference.eval()


def read_baikulov(path: str | Path) -> BaikulovCheckpoint:
    """Read a checkpoint, of averaged weights; sizes are read from its tensors.

    Raises UserError for a missing or damaged file, and tensors that are too many or lacking.
    """
    path = file_at(path, (".pth", ".pt"))
    theirs = {key.removeprefix("module."): value for key, value in plain_tensors(path, "nn_state_dict").items()}
    sizes = [theirs.get(key) for key in ("classifier.weight", "conv3d_projection.1.weight")]
    if any(value is None for value in sizes):
        raise UserError(f"{path}: no checkpoint of that codebase; its keys begin with conv2d_encoder. and so on")
    (classes, width), dim = _shape(theirs["classifier.weight"]), len(theirs["conv3d_projection.1.weight"])
    blocks = len({key.split(".")[1] for key in theirs if key.startswith("conv3d_encoder.")})
    images = STACK * (width // dim)
    with torch.device("meta"):
        reference = BaikulovReference(images, classes, blocks, dim)
    names = published_names(reference)
    shapes = {names[name]: value.shape for name, value in reference.state_dict().items()}
    check_tensors(path, shapes, {key: value.shape for key, value in theirs.items()})
    return BaikulovCheckpoint(path, images, blocks, dim, classes, {name: theirs[key] for name, key in names.items()})


def published_names(reference: BaikulovReference) -> Mapping[str, str]:
    """Return the codebase's name of every tensor, in its order, by ours."""
    return {name: rename(name, NAMES) for name in reference.state_dict()}


def convert_baikulov(checkpoint: str | Path, out: str | Path, options: ImportOptions) -> Plain:
    """Do what ``convert_published`` does; of other classes than those of ball-2023 a task is needed."""
    options.refuse("baikulov", "window", "features", "pool", "clip_len")
    found = read_baikulov(checkpoint)
    if not options.task and found.classes != 2:
        raise UserError(f"{found.path}: has {found.classes} classes, not the 2 of ball-2023: give --task")
    settings = _settings(found, Task.load(options.task or "ball-2023"), options.fps or FPS)
    system = System.build(settings)
    system.load_state_dict(found.state)
    write_checkpoint(out, settings, system.state_dict())
    return settings


def _settings(found: BaikulovCheckpoint, task: Task, fps: str | int) -> Plain:
    """Return the hyper-parameters of the checkpoint; its classes are taken to be in the order of the task."""
    check_classes(found.path, found.classes, task)
    spec, window = InputSpec.video(fps, ImageSpec((720, 1280), grey=True)), (found.images - 1) * STEP + 1
    sizes = {"blocks": found.blocks, "dim": found.dim}
    network = {"window": window, "step": STEP, "backbone": "tf_efficientnetv2_b0", **sizes}
    clips = ClipConfig(window, 128 + window, 0.0, window // 2, "balanced", 6000, spot_margin=window // 2 - 4)
    return {
        "task": task.to_dict(),
        "source": spec.to_dict(),
        "network": {"_target_": "spotter.models.baikulov.network.Baikulov", **network},
        "head": {"_target_": "spotter.models.baikulov.head.MiddleHead", "window": window},
        "clips": clips.to_dict(),
        "postprocess": {"method": "peaks", "window": 28 / spec.fps, "threshold": 0.2, "smooth": 3 / spec.fps},
        "optimizer": {"lr": 3e-4, "weight_decay": 1e-2, "final_lr": 0.01},
    }


def _shape(matrix: Tensor) -> tuple[int, int]:
    rows, columns = matrix.shape
    return rows, columns
