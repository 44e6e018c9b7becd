"""Checkpoints of COMEDIAN's ViViT networks: as a network of that codebase, or converted to one of spotter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spotter.data.source import ImageSpec, InputSpec
from spotter.errors import UserError
from spotter.io.checkpoints import write_checkpoint
from spotter.models.comedian.network import Comedian
from spotter.models.pretrained.options import ImportOptions
from spotter.models.pretrained.tensors import check_classes, check_tensors, file_at, plain_tensors, rename
from spotter.models.system import System
from spotter.settings import ClipConfig
from spotter.tasks import Task
from spotter.types import Plain

NAMES = {  # ours and theirs
    r"^spatial\.token$": "spatial_cls_token",
    r"^spatial\.positions$": "pos_embed",
    r"^times$": "time_embed",
    r"^spatial\.embed\.": "patch_embed.proj.",
    r"^spatial\.transformer\.": "spatial_transformer.",
    r"^temporal\.": "temporal_transformer.",
}
# Their order of classes, by their place among ours.
CLASSES = (
    *("Penalty", "Kick-off", "Goal", "Substitution", "Offside", "Shots on target", "Shots off target", "Clearance"),
    *("Ball out of play", "Throw-in", "Foul", "Indirect free-kick", "Direct free-kick", "Corner", "Yellow card"),
    *("Red card", "Yellow->red card"),
)
TOKEN, MARGIN = "spatial_cls_token", 12  # seconds of context


@dataclass(frozen=True)
class ComedianCheckpoint:
    """Hold a checkpoint under the names of ``ComedianReference``, with the arguments of ``Comedian`` and K."""

    path: Path
    network: dict[str, Any]
    classes: int
    state: dict[str, Tensor]


class ComedianReference(nn.Module):
    """Map normalised clips (B, 3, T, H, W) to logits (B, T / tube, K), as that codebase does."""

    def __init__(self, network: Comedian, classes: int) -> None:
        super().__init__()
        self.network, self.classes = network, nn.Linear(network.width, classes)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits of tubes."""
        logits: Tensor = self.classes(self.network.tubes(clips.transpose(1, 2)))
        return logits


def load_comedian(path: str | Path, options: ImportOptions) -> ComedianReference:
    """Return the network of a released checkpoint in eval mode, see ``load_published``."""
    options.refuse("comedian", "pool", "clip_len")
    found = read_comedian(path)
    reference = build_reference(found.network, found.classes)
    reference.load_state_dict(found.state)
    return reference.eval()


def build_reference(network: Mapping[str, Any], classes: int) -> ComedianReference:
    """Return the network of random weights."""
    return ComedianReference(Comedian({"video": {}}, **network), classes)


def read_comedian(path: str | Path) -> ComedianCheckpoint:
    """Read a checkpoint; sizes are read from its tensors, and heads are of 64 numbers each.

    Raises UserError for a missing or damaged file, and tensors that are too many or lacking.
    """
    path = file_at(path, (".ckpt", ".pth", ".pt"))
    theirs = plain_tensors(path)
    prefix = next((key.removesuffix(TOKEN) for key in theirs if key.endswith(TOKEN)), None)
    if prefix is None:
        raise UserError(f"{path}: no checkpoint of COMEDIAN's ViViT; it has no {TOKEN}")
    trunk = {key.removeprefix(prefix): value for key, value in theirs.items() if key.startswith(prefix)}
    network, width = _sizes(path, trunk), trunk[TOKEN].shape[-1]
    head = _head(path, theirs, width)
    with torch.device("meta"):
        reference = build_reference(network, len(head["bias"]))
    names = published_names(reference)
    ours = reference.state_dict()
    shapes = {their: ours[name].shape for name, their in names.items()}
    known = ("patch_embed.", "spatial_transformer.", "temporal_transformer.")
    found = {key: value.shape for key, value in trunk.items() if key in shapes or key.startswith(known)}
    check_tensors(path, shapes, found)
    state = {name: trunk[their] for name, their in names.items()} | {f"classes.{k}": v for k, v in head.items()}
    masks = [value for key, value in trunk.items() if key.endswith("mask_token") and value.numel() == width]
    state["network.hidden"] = masks[0].reshape(1, 1, width) if masks else torch.zeros(1, 1, width)
    return ComedianCheckpoint(path, network, len(head["bias"]), state)


def published_names(reference: ComedianReference) -> dict[str, str]:
    """Return the codebase's name of every tensor of the network, in its order, by ours."""
    ours = (name for name in reference.network.state_dict() if name != "hidden")
    names = {f"network.{name}": rename(name, NAMES) for name in ours}
    first = (TOKEN, "pos_embed", "time_embed")
    return dict(sorted(names.items(), key=lambda item: first.index(item[1]) if item[1] in first else len(first)))


def convert_comedian(checkpoint: str | Path, out: str | Path, options: ImportOptions) -> Plain:
    """Do what ``convert_published`` does; other classes than SoccerNet-v2's are taken to be in the task's order."""
    options.refuse("comedian", "window", "features", "pool", "clip_len")
    found = read_comedian(checkpoint)
    settings = _settings(found, Task.load(options.task or "soccernet-v2"), options.fps or "2")
    system = System.build(settings)
    classes = system.task.classes
    if sorted(classes) == sorted(CLASSES):
        order = [CLASSES.index(name) for name in classes]
        found.state.update({key: found.state[key][order] for key in ("classes.weight", "classes.bias")})
    state = {name.replace("classes.", "head.confidence."): value for name, value in found.state.items()}
    system.load_state_dict(state | {"head.rates": system.state_dict()["head.rates"]})
    write_checkpoint(out, settings, system.state_dict())
    return settings


def _settings(found: ComedianCheckpoint, task: Task, fps: str) -> Plain:
    """Return the hyper-parameters of the checkpoint."""
    check_classes(found.path, found.classes, task)
    grey = (0.45,) * 3, (0.225,) * 3
    spec, clip_len = InputSpec.video(fps, ImageSpec((224, 398), None, *grey)), int(found.network["clip_len"])
    margin = min(round(MARGIN * spec.fps), clip_len // 4)
    clips = ClipConfig(clip_len, overlap=0.2, margin=margin, sampling="non_overlapping")
    head = {"radius": 0.5, "displacement_radius": 0.5, "displacement": "none", "positive_weight": None, "prior": 0.5}
    return {
        "task": task.to_dict(),
        "source": spec.to_dict(),
        "network": {"_target_": "spotter.models.comedian.network.Comedian", **found.network},
        "head": {"_target_": "spotter.models.blocks.dense.DenseHead", **head},
        "clips": clips.to_dict(),
        "postprocess": {"method": "soft_nms", "window": 5.0, "threshold": 0.001},
        "optimizer": {"lr": 2.5e-4, "weight_decay": 0.05, "final_lr": 0.01},
    }


def _sizes(path: Path, trunk: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the arguments of ``Comedian`` by the tensors that differ with them."""
    lacking = [key for key in ("pos_embed", "time_embed", "patch_embed.proj.weight") if key not in trunk]
    if lacking:
        raise UserError(f"{path}: not the network that its keys suggest, it lacks {', '.join(lacking)}")
    width, _, tube, patch, _ = trunk["patch_embed.proj.weight"].shape
    depths = [
        len({key.split(".")[2] for key in trunk if key.startswith(f"{kind}_transformer.blocks.")})
        for kind in ("spatial", "temporal")
    ]
    side, heads = patch * math.isqrt(trunk["pos_embed"].shape[1] - 1), max(1, width // 64)
    return {
        "clip_len": tube * trunk["time_embed"].shape[1],
        "spatial": "vivit",
        "image": [side, side],
        "tube": tube,
        "depth": depths[1],
        "heads": heads,
        "spatial_args": {"patch": patch, "width": width, "depth": depths[0], "heads": heads},
    }


def _head(path: Path, theirs: Mapping[str, Tensor], width: int) -> dict[str, Tensor]:
    """Return weight and bias of the only linear layer outside of the network; one that is called head comes first."""
    transformers = ("transformer.", "patch_embed.")
    linear = [
        key.removesuffix(".weight")
        for key, value in theirs.items()
        if key.endswith(".weight") and value.dim() == 2 and value.shape[1] == width
        if f"{key.removesuffix('.weight')}.bias" in theirs and not any(part in key for part in transformers)
    ]
    if not linear:
        raise UserError(f"{path}: has no head, a linear layer of {width} columns; what is fine-tuned can be imported")
    name = min(linear, key=lambda each: "head" not in each)
    return {kind: theirs[f"{name}.{kind}"] for kind in ("weight", "bias")}
