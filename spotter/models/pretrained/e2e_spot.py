"""Checkpoints of the E2E-Spot codebase: found, understood, and put under the names that our network has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.errors import UserError
from spotter.models.blocks.frame import FrameHead
from spotter.models.e2e_spot.network import E2ESpot
from spotter.models.pretrained.options import ImportOptions
from spotter.models.pretrained.shifted import absorb_interleaving, backbone_names, flat_gates
from spotter.models.pretrained.tensors import check_tensors, config_beside, plain_tensors
from spotter.types import Plain

BACKBONES = ("regnety_002", "regnety_008", "resnet18", "resnet50", "convnext_tiny")
TEMPORAL = {  # a key that only this temporal head has, and the bias of its classifier
    "deeper_gru": ("_gru.weight_ih_l2", "_fc_out._fc_out.bias"),
    "gru": ("_gru.weight_ih_l0", "_fc_out._fc_out.bias"),
    "mstcn": ("_tcn.conv_out.bias", "_tcn.conv_out.bias"),
    "asformer": ("_net.encoder.conv_out.bias", "_net.encoder.conv_out.bias"),
    "none": ("_fc_out.bias", "_fc_out.bias"),
}
NAMES = {  # parts of names of temporal heads: ours and theirs
    r"temporal\.gru\.": "_pred_fine._gru.",
    r"temporal\.stages\.0\.": "_pred_fine._tcn.",
    r"temporal\.stages\.1\.": "_pred_fine._stages.0.",
    r"temporal\.stages\.2\.": "_pred_fine._stages.1.",
    r"temporal\.(?=encoder|decoders)": "_pred_fine._net.",
    r"\.feed_forward\.": ".feed_forward.layer.0.",
}


@dataclass(frozen=True)
class E2ESpotCheckpoint:
    """Hold a checkpoint under the names of our modules ``network`` and ``head``.

    network : arguments of ``E2ESpot``
    classes : K, without background, in that codebase's order
    config : content of its ``config.json``, empty without one
    """

    path: Path
    network: dict[str, str]
    classes: int
    state: dict[str, Tensor]
    config: Plain


class E2ESpotReference(nn.Module):
    """Map normalised clips (B, T, 3, H, W), T up to ``clip_len``, to logits (B, T, 1 + K) as that codebase does."""

    def __init__(self, network: E2ESpot, head: FrameHead, clip_len: int) -> None:
        super().__init__()
        self.network, self.head, self.clip_len = network, head, clip_len

    def forward(self, clips: Tensor) -> Tensor:
        """Pad shorter clips at their end, which gates and convolutions take in; the temporal head does not."""
        length = clips.shape[1]
        if length > self.clip_len:
            raise ValueError(f"clips of {length} frames, but this network was trained with {self.clip_len}")
        features = self.network.features(F.pad(clips, (0, 0, 0, 0, 0, 0, 0, self.clip_len - length)))
        logits = self.head(self.network.temporal(features[:, :length]))["logits"]
        return logits if logits.dim() == 3 else logits[-1]


def load_e2e_spot(path: str | Path, options: ImportOptions) -> E2ESpotReference:
    """Return the network of a released checkpoint in eval mode, see ``load_published``."""
    if options.pool is not None:
        raise UserError("pool: is for pooling baselines, not for e2e-spot; leave it out")
    found = read_e2e_spot(path)
    clip_len = options.clip_len or found.config.get("clip_len")
    if not clip_len:
        raise UserError(f"{found.path}: no config.json beside it, which holds the clip length: give clip_len=")
    network = E2ESpotReference(*build_modules(found.network, found.classes), clip_len)
    network.load_state_dict(found.state)
    return network.eval()


def build_modules(network: dict[str, str], classes: int) -> tuple[E2ESpot, FrameHead]:
    """Return the network and the head of a published checkpoint, of random weights."""
    spot = E2ESpot({"video": {}}, classes, **network)  # type: ignore[arg-type]
    return spot, FrameHead(spot.width, classes)


def read_e2e_spot(path: str | Path) -> E2ESpotCheckpoint:
    """Read a checkpoint file, or the one of the highest epoch in a folder.

    Raises UserError for a missing or damaged file, other input than RGB, and tensors that are too many or lacking.
    """
    path = _checkpoint(Path(path))
    theirs, config = _tensors(path), config_beside(path)
    if config.get("modality", "rgb") != "rgb":
        raise UserError(f"{path}: of modality {config['modality']!r}; only rgb networks can be imported")
    kind = next((kind for kind, (key, _) in TEMPORAL.items() if f"_pred_fine.{key}" in theirs), None)
    if kind is None:
        raise UserError(f"{path}: no checkpoint of E2E-Spot; its keys begin with _features. and _pred_fine.")
    classes = len(theirs[f"_pred_fine.{TEMPORAL[kind][1]}"]) - 1
    shift = "gsm" if any(".gsm." in key for key in theirs) else "tsm_block"
    shift = shift if any(".net." in key for key in theirs) else "none"
    for backbone in BACKBONES:
        network = {"backbone": backbone, "shift": shift, "temporal": kind}
        with torch.device("meta"):
            spot, head = build_modules(network, classes)
        names = published_names(spot, head)
        if (stem := next(iter(names.values()))) in theirs and _deepest(names.values()) == _deepest(theirs):
            break
    else:
        raise UserError(f"{path}: of an unknown backbone; expected one of {', '.join(BACKBONES)}")
    if theirs[stem].shape[1] != 3:
        raise UserError(f"{path}: reads images of {theirs[stem].shape[1]} channels; only rgb networks can be imported")
    shapes = {names[name]: value.shape for name, value in E2ESpotReference(spot, head, 1).state_dict().items()}
    check_tensors(path, shapes, {key: value.shape for key, value in theirs.items()})
    state = {name: theirs[key] for name, key in names.items()}
    absorb_interleaving(spot.backbone, state, "network.backbone.")
    return E2ESpotCheckpoint(path, network, classes, state, config)


def published_names(network: E2ESpot, head: FrameHead) -> dict[str, str]:
    """Return the codebase's name of every tensor, in its order, by our name after ``network.`` or ``head.``."""
    names = {
        f"network.backbone.{ours}": f"_features.{theirs}"
        for ours, theirs in backbone_names(network.backbone, "gsm").items()
    }
    for name in network.temporal.state_dict():
        their = f"temporal.{name}"
        for ours, theirs in NAMES.items():
            their = re.sub(ours, theirs, their)
        names[f"network.temporal.{name}"] = their
    nested = "_pred_fine._fc_out." if isinstance(network.temporal, nn.Identity) else "_pred_fine._fc_out._fc_out."
    return names | {f"head.{name}": f"{nested}{name.removeprefix('classes.')}" for name in head.state_dict()}


def _checkpoint(path: Path) -> Path:
    if path.is_dir():
        found = {
            int(name[1]): file for file in path.iterdir() if (name := re.fullmatch(r"checkpoint_(\d+)\.pt", file.name))
        }
        if not found:
            raise UserError(f"{path}: no checkpoint_*.pt in this folder")
        return found[max(found)]
    if not path.is_file():
        raise UserError(f"no checkpoint {str(path)!r}")
    return path


def _tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint without what OSL-ActionSpotting and parallel training prefix to names."""
    tensors = {
        re.sub(r"^.*?(?=_features\.|_pred_fine\.)", "", key): value for key, value in plain_tensors(path).items()
    }
    return flat_gates(tensors)


def _deepest(names: Iterable[str]) -> set[str]:
    """Return which blocks of the backbone there are, by which backbones differ."""
    return {found[0] for name in names if (found := re.match(r"_features\.(?:[a-z]+\.?\d+\.)(?:\w+\.)?\w+", name))}
