"""Checkpoints of the T-DEED codebase: understood by their tensors, and put under the names that our network has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spotter.errors import UserError
from spotter.models.pretrained.options import ImportOptions
from spotter.models.pretrained.shifted import absorb_interleaving, backbone_names, flat_gates, regnet_of, shift_of
from spotter.models.pretrained.tensors import check_tensors, config_beside, file_at, plain_tensors, rename
from spotter.models.t_deed.network import TDeed
from spotter.types import Plain

NAMES = {  # parts of names over time: ours, and theirs
    r"^temporal\.blocks\.": "_temp_fine._sgp.",
    r"^temporal\.mixers\.": "_temp_fine._sgpMixer.",
    r"\.norms\.0\.": ".ln1.",
    r"\.norms\.1\.": ".ln2.",
    r"(?<!forward)\.norm\.": ".ln.",
    r"\.feed_forward\.norm\.": ".gn.",
    r"\.feed_forward\.layers\.": ".mlp.",
    r"\.branches\.0\.(\w+)": r".branches.\g<1>1",
    r"\.branches\.1\.(\w+)": r".branches.\g<1>2",
    r"\.branches\.gate": ".psi",
    r"\.branches\.narrow": ".convw",
    r"\.branches\.wide": ".convkw",
    r"\.branches\.instant": ".fc",
    r"\.branches\.overall": ".global_fc",
    r"\.join\.": ".concat_fc.",
}
ROOTS = r"^.*?(?=_features\.|_temp_fine\.|_pred_fine\.|_pred_displ\.|temp_enc$)"
ONE, TWO = ("_pred_fine._fc_out",), ("_pred_fine._fc1._fc_out", "_pred_fine._fc2._fc_out")
SIZES = {"clip_len": "clip_len", "n_layers": "layers", "sgp_ks": "kernel"}  # of a config, and ours


@dataclass(frozen=True)
class TDeedCheckpoint:
    """Hold a checkpoint under the names of ``TDeedReference``.

    network : arguments of ``TDeed``
    outputs : 1 + K of each head, in that codebase's order of classes
    config : content of its ``config.json``, empty without one
    """

    path: Path
    network: dict[str, Any]
    outputs: tuple[int, ...]
    displaced: bool
    state: dict[str, Tensor]
    config: Plain


class TDeedReference(nn.Module):
    """Map normalised clips (B, T, 3, H, W) to logits (B, T, 1 + K) and displacements (B, T), as that codebase does.

    outputs : 1 + K of the head, and of the second one where it was trained on two data sets: side by side
    displaced : whether there is a displacement; else it is zero
    """

    def __init__(self, network: TDeed, outputs: tuple[int, ...], displaced: bool) -> None:
        super().__init__()
        self.network = network
        self.classes = nn.ModuleList(nn.Linear(network.width, each) for each in outputs)
        self.displacement = nn.Linear(network.width, 1) if displaced else None

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and, in frames from a spot to its anchor, displacements."""
        tokens = self.network({"video": clips}, {}, torch.ones(clips.shape[:2], dtype=torch.bool))
        logits = torch.cat([head(tokens) for head in self.classes], -1)
        if self.displacement is None:
            return logits, logits.new_zeros(logits.shape[:2])
        return logits, self.displacement(tokens).squeeze(-1)


def load_t_deed(path: str | Path, options: ImportOptions) -> TDeedReference:
    """Return the network of a released checkpoint in eval mode, see ``load_published``."""
    options.refuse("t-deed", "pool", "clip_len")
    found = read_t_deed(path)
    reference = build_reference(found.network, found.outputs, found.displaced)
    reference.load_state_dict(found.state)
    return reference.eval()


def build_reference(network: Mapping[str, Any], outputs: tuple[int, ...], displaced: bool) -> TDeedReference:
    """Return the network of random weights."""
    return TDeedReference(TDeed({"video": {}}, **network), outputs, displaced)


def read_t_deed(path: str | Path) -> TDeedCheckpoint:
    """Read a checkpoint file, or the only ``.pt`` in a folder; sizes are read from its tensors.

    Raises UserError for a missing or damaged file, tensors that are too many or lacking, and a ``config.json`` beside
    it that says otherwise.
    """
    path = file_at(path, (".pt", ".pth"))
    config = config_beside(path)
    theirs = flat_gates({re.sub(ROOTS, "", key): value for key, value in plain_tensors(path).items()})
    network = _sizes(path, theirs)
    for key, ours in SIZES.items():
        if key in config and config[key] != network[ours]:
            raise UserError(f"{path}: is of {key} {network[ours]}, its config.json says {config[key]}")
    heads = TWO if f"{TWO[0]}.bias" in theirs else ONE
    outputs = tuple(len(theirs.get(f"{head}.bias", ())) for head in heads)
    displaced = "_pred_displ._fc_out.bias" in theirs
    with torch.device("meta"):
        reference = build_reference(network, outputs, displaced)
    names = published_names(reference)
    theirs = {key: _flat_norm(key, value) for key, value in theirs.items()}
    shapes = {names[name]: value.shape for name, value in reference.state_dict().items()}
    check_tensors(path, shapes, {key: value.shape for key, value in theirs.items()})
    state = {name: theirs[key] for name, key in names.items()}
    absorb_interleaving(reference.network.backbone, state, "network.backbone.")
    return TDeedCheckpoint(path, network, outputs, displaced, state, config)


def published_names(reference: TDeedReference) -> dict[str, str]:
    """Return the codebase's name of every tensor by ours."""
    names = {"network.positions": "temp_enc"}
    for ours, theirs in backbone_names(reference.network.backbone, "gs").items():
        names[f"network.backbone.{ours}"] = f"_features.{theirs}"
    for name in reference.network.temporal.state_dict():
        names[f"network.temporal.{name}"] = rename(f"temporal.{name}", NAMES)
    heads = TWO if len(reference.classes) == 2 else ONE
    for ours, their in ((f"classes.{i}", head) for i, head in enumerate(heads)):
        names |= {f"{ours}.{kind}": f"{their}.{kind}" for kind in ("weight", "bias")}
    if reference.displacement is not None:
        names |= {f"displacement.{kind}": f"_pred_displ._fc_out.{kind}" for kind in ("weight", "bias")}
    return names


def _sizes(path: Path, theirs: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the arguments of ``TDeed`` by the tensors that differ with them."""
    first = {kind: theirs.get(f"_temp_fine._sgp.0.{kind}.weight") for kind in ("psi", "convkw")}
    positions, (kernel, wide) = theirs.get("temp_enc"), first.values()
    if positions is None or kernel is None or wide is None:
        raise UserError(f"{path}: no checkpoint of T-DEED; its keys are temp_enc, _features. and _temp_fine. and so on")
    backbone = [key for key in theirs if key.startswith("_features.")]
    name = regnet_of(backbone)
    if name is None:
        raise UserError(f"{path}: of an unknown backbone; expected regnety_002, regnety_004 or regnety_008")
    shift, stages = shift_of(backbone)
    narrow, broad = kernel.shape[-1], wide.shape[-1]
    even = (broad - 1) / (narrow + 1)  # wide windows are made odd
    return {
        "clip_len": len(positions),
        "backbone": name,
        "shift": shift,
        "stages": stages or 2,
        "layers": len({key.split(".")[2] for key in theirs if key.startswith("_temp_fine._sgpMixer.")}),
        "kernel": narrow,
        "ratio": int(even) if even.is_integer() else broad / (narrow + 1),
    }


def _flat_norm(key: str, value: Tensor) -> Tensor:
    """Return the tensor of a normalisation over channels as ours has it; theirs is (1, d, 1)."""
    return value.flatten() if re.search(r"\.ln[12]?\.", key) else value
