"""Backbones with temporal shifts in other codebases' checkpoints: their names, and their order of channels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from spotter.models.blocks.backbones import first_convolution, plain_names
from spotter.models.blocks.shift import GatedShift, Shifted

REGNETS = {  # by the blocks of their four stages
    (1, 1, 4, 7): "regnety_002",
    (1, 3, 6, 6): "regnety_004",
    (1, 3, 8, 2): "regnety_008",
}
FUSION = {"fuse.0.": "channel_conv1.", "fuse.1.": "channel_conv2."}  # of a shift, ours and theirs


def backbone_names(backbone: nn.Module, gate: str) -> dict[str, str]:
    """Return the name that others give every tensor of a backbone, in their order, by ours.

    gate : what they call a shift: ``gsm``, or ``gs``
    """
    names: dict[str, str] = {}
    plain = plain_names(backbone)
    units = {path: _unit(path, module.net) for path, module in _shifted(backbone)}
    for name in backbone.state_dict():
        if name in plain:
            their = plain[name]
            unit = next((unit for unit in units.values() if their.startswith(f"{unit}.")), None)
            names[name] = their if unit is None else f"{unit}.net.{their.removeprefix(f'{unit}.')}"
            continue
        path, _, rest = name.partition(".shift.")
        for ours, theirs in FUSION.items():
            rest = rest.replace(ours, theirs)
        nested = rest if rest.startswith(("bn.", "channel_conv")) else f"conv3D.{rest}"
        names[name] = f"{units[path]}.{gate}.{nested}"
    return names


def flat_gates(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with the 3-D convolutions of gates as ``GatedShift`` has them."""
    gates = {key: value for key, value in tensors.items() if key.endswith(".conv3D.weight") and value.dim() == 5}
    return tensors | {key: value.transpose(1, 2).flatten(0, 1) for key, value in gates.items()}


def shift_of(keys: Iterable[str]) -> tuple[str, int]:
    """Return which shift the keys of a RegNet are of, and in how many stages it is."""
    keys = list(keys)
    wrapped = [key for key in keys if ".conv1.net." in key]
    gates = [key for key in keys if ".conv3D." in key]
    fused = any(".channel_conv1." in key for key in keys)
    stages = len({found[1] for key in wrapped if (found := re.search(r"(?:^|\.)s(\d)\.b", key))})
    return "gsf" if fused else "gsm" if gates else "tsm_block" if wrapped else "none", stages


def regnet_of(keys: Iterable[str]) -> str | None:
    """Return the name in timm of the RegNet that keys are of, None for another network."""
    blocks = {(int(found[1]), int(found[2])) for key in keys if (found := re.search(r"(?:^|\.)s(\d)\.b(\d+)\.", key))}
    first, second, third, fourth = (sum(stage == each for stage, _ in blocks) for each in range(1, 5))
    return REGNETS.get((first, second, third, fourth))


def absorb_interleaving(backbone: nn.Module, state: dict[str, Tensor], prefix: str) -> None:
    """Reorder the weights that follow gated shifts, so that ours, which do not interleave channels, give the same.

    prefix : of our names of the backbone's tensors in ``state``
    """
    for path, shifted in _shifted(backbone):
        if not isinstance(shifted.shift, GatedShift):
            continue
        fold, convolution = shifted.shift.fold, cast(nn.Conv2d, shifted.net)
        order = torch.arange(convolution.in_channels)
        order[:fold] = order[:fold].view(2, 2, -1).transpose(1, 2).flatten()  # channel i there is order[i] here
        back, where = order.argsort(), f"{prefix}{path}."
        if convolution.groups == 1:
            state[f"{where}net.weight"] = state[f"{where}net.weight"][:, back]
            continue
        # Depthwise, as in ConvNeXt: its outputs are in another order, too, up to the next layer that mixes channels.
        block = where.removesuffix("conv_dw.")
        for name in (f"{where}net.weight", f"{where}net.bias", f"{block}norm.weight", f"{block}norm.bias"):
            state[name] = state[name][back]
        state[f"{block}mlp.fc1.weight"] = state[f"{block}mlp.fc1.weight"][:, back]


def _shifted(backbone: nn.Module) -> list[tuple[str, Shifted]]:
    return [(path, module) for path, module in backbone.named_modules() if isinstance(module, Shifted)]


def _unit(path: str, net: nn.Module) -> str:
    """Return the path of what others wrap: a convolution, or with its normalisation where timm joins them."""
    if not isinstance(net, nn.Conv2d):
        path = f"{path}.{first_convolution(net)}"
    return path.removesuffix(".conv")
