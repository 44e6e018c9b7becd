"""Checkpoints of the AdaSpot codebase: as a network of that codebase, or converted to one of spotter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spotter.data.source import ImageSpec, InputSpec
from spotter.errors import UserError
from spotter.io.checkpoints import write_checkpoint
from spotter.models.adaspot.network import AdaSpot
from spotter.models.pretrained.options import ImportOptions
from spotter.models.pretrained.shifted import absorb_interleaving, backbone_names, flat_gates, regnet_of, shift_of
from spotter.models.pretrained.tensors import check_classes, check_tensors, file_at, plain_tensors, rename
from spotter.models.system import System
from spotter.settings import ClipConfig
from spotter.tasks import Task
from spotter.types import Plain

NAMES = {  # ours and theirs
    r"^positions$": "temp_enc",
    r"^low_mix\.": "lowres_linear.",
    r"^high_mix\.": "highres_linear.",
    r"^joint\.gru\.": "_temp_fine.",
    r"^joint\.classes\.": "_pred_fine._fc_out.",
    r"^alone\.0\.gru\.": "_temp_fine_highres.",
    r"^alone\.0\.classes\.": "_pred_fine_highres._fc_out.",
    r"^alone\.1\.gru\.": "_temp_fine_lowres.",
    r"^alone\.1\.classes\.": "_pred_fine_lowres._fc_out.",
}
STREAMS = {"low": "lowres_backbone", "high": "highres_backbone"}
ROOTS = r"^.*?(?=temp_enc$|(?:low|high)res_|_temp_fine|_pred_fine)"


@dataclass(frozen=True)
class AdaSpotCheckpoint:
    """Hold a checkpoint under the names of ``AdaSpot``, with its arguments and K, without background."""

    path: Path
    network: dict[str, Any]
    classes: int
    state: dict[str, Tensor]


class AdaSpotReference(nn.Module):
    """Map normalised clips (B, T, 3, H, W) at high resolution to the joint logits (B, T, 1 + K)."""

    def __init__(self, network: AdaSpot) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, T, 1 + K)."""
        logits: Tensor = self.network({"video": clips}, {}, torch.ones(clips.shape[:2], dtype=torch.bool))[-1]
        return logits


def load_adaspot(path: str | Path, options: ImportOptions) -> AdaSpotReference:
    """Return the network of a released checkpoint in eval mode, see ``load_published``."""
    options.refuse("adaspot", "pool", "clip_len")
    found = read_adaspot(path, options.threshold)
    network = AdaSpot({"video": {}}, found.classes, **found.network)
    network.load_state_dict(found.state)
    return AdaSpotReference(network).eval()


def read_adaspot(path: str | Path, threshold: float | None = None) -> AdaSpotCheckpoint:
    """Read a checkpoint; sizes are read from its tensors, ``threshold`` is not among them.

    Raises UserError for a missing or damaged file, and tensors that are too many or lacking.
    """
    path = file_at(path, (".pt", ".pth"))
    theirs = flat_gates({re.sub(ROOTS, "", key): value for key, value in plain_tensors(path).items()})
    backbone = regnet_of(key for key in theirs if key.startswith("lowres_backbone."))
    if backbone is None or "temp_enc" not in theirs or "_pred_fine._fc_out.bias" not in theirs:
        raise UserError(f"{path}: no checkpoint of AdaSpot; its keys are temp_enc, lowres_backbone. and so on")
    shift, _ = shift_of(key for key in theirs if key.startswith("lowres_backbone."))
    network = {"clip_len": len(theirs["temp_enc"]), "backbone": backbone, "shift": shift}
    classes = len(theirs["_pred_fine._fc_out.bias"]) - 1
    with torch.device("meta"):
        ours = AdaSpot({"video": {}}, classes, **network)  # type: ignore[arg-type]
    names = published_names(ours)
    if "_pred_fine_highres._fc_out.bias" not in theirs:  # what is released may be made for inference alone
        theirs |= {key: torch.zeros(ours.state_dict()[name].shape) for name, key in names.items() if "alone." in name}
    shapes = {names[name]: value.shape for name, value in ours.state_dict().items()}
    check_tensors(path, shapes, {key: value.shape for key, value in theirs.items()})
    state = {name: theirs[key] for name, key in names.items()}
    for stream in STREAMS:
        absorb_interleaving(ours.get_submodule(stream), state, f"{stream}.")
    return AdaSpotCheckpoint(path, network | {"threshold": threshold or 0.0}, classes, state)


def published_names(network: AdaSpot) -> Mapping[str, str]:
    """Return the codebase's name of every tensor, in its order, by ours."""
    streams: dict[str, str] = {}
    for stream, root in STREAMS.items():
        backbone = network.get_submodule(stream)
        padded = [p for p, m in backbone.named_modules() if isinstance(m, nn.Conv2d) and m.padding_mode == "replicate"]
        for ours, their in backbone_names(backbone, "gs").items():
            path, _, kind = ours.rpartition(".")
            name = f"{their.removesuffix(kind)}1.{kind}" if path in padded else their
            streams[f"{stream}.{ours}"] = f"{root}.{name}"
    return {name: rename(streams.get(name, name), NAMES) for name in network.state_dict()}


def convert_adaspot(checkpoint: str | Path, out: str | Path, options: ImportOptions) -> Plain:
    """Do what ``convert_published`` does; ``--task`` names its classes, which are taken to be in that order."""
    options.refuse("adaspot", "window", "features", "pool", "clip_len")
    found = read_adaspot(checkpoint, options.threshold)
    if not options.task:
        raise UserError(f"{found.path}: does not name its {found.classes} classes: give --task")
    settings = _settings(found, Task.load(options.task), options.fps or "12.5")
    system = System.build(settings)
    system.load_state_dict({f"network.{name}": value for name, value in found.state.items()})
    write_checkpoint(out, settings, system.state_dict())
    return settings


def _settings(found: AdaSpotCheckpoint, task: Task, fps: str) -> Plain:
    """Return the hyper-parameters of the checkpoint."""
    check_classes(found.path, found.classes, task)
    spec, clip_len = InputSpec.video(fps, ImageSpec((448, 796))), int(found.network["clip_len"])
    return {
        "task": task.to_dict(),
        "source": spec.to_dict(),
        "network": {"_target_": "spotter.models.adaspot.network.AdaSpot", **found.network},
        "head": {"_target_": "spotter.models.blocks.frame.FrameHead", "mean_of_stages": True},
        "clips": ClipConfig(clip_len, overlap=0.5, per_epoch=500_000 // clip_len).to_dict(),
        "postprocess": {"method": "quadratic_nms", "window": 24 / spec.fps, "threshold": 0.01},
        "optimizer": {"lr": 8e-4, "weight_decay": 1e-2, "final_lr": 0.0},
    }
