"""A network made ready for inference: batch norms inside of convolutions, pictures in the order that CPUs like."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from spotter.models.e2e_spot.network import E2ESpot

SIZE = 64  # of the pictures that a network is watched with


def folded(network: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Return a copy of a network for inference, in eval mode; what it says stays the same, but for rounding.

    dtype : of the backbone; with bfloat16 it takes and returns the same as before, and rounds more in between

    Other networks than ``E2ESpot`` are copied as they are.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    if not isinstance(network, E2ESpot):
        return network
    device = next(network.parameters()).device
    network.frames.count = 2
    picture = torch.zeros(2, 3, SIZE, SIZE, device=device)
    for convolution, norm in _pairs(network.backbone, picture):
        first, then = network.backbone.get_submodule(convolution), network.backbone.get_submodule(norm)
        _replace(network.backbone, convolution, fuse_conv_bn_eval(cast(nn.Conv2d, first), cast(nn.BatchNorm2d, then)))
        _replace(network.backbone, norm, _activation(then))
    network.backbone.to(dtype=dtype).to(memory_format=torch.channels_last)
    for module in network.backbone.modules():
        if isinstance(module, _BatchNorm):
            module.float()  # those of gated shifts, which stand before a convolution
    return network


@torch.no_grad()
def _pairs(backbone: nn.Module, picture: Tensor) -> list[tuple[str, str]]:
    """Watch which batch norms get what a convolution made, and return the paths of both.

    Families of networks name and nest these modules in their own ways; the way of the data is the same in all.
    """
    made: dict[int, tuple[str, Tensor]] = {}  # holds on to the tensors, for ids are only unique among what lives
    pairs = []

    def makes(path: str) -> object:
        return lambda module, inputs, output: made.__setitem__(id(output), (path, output))

    def takes(path: str) -> object:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if id(inputs[0]) in made:
                pairs.append((made.pop(id(inputs[0]))[0], path))

        return hook

    hooks = []
    for path, module in backbone.named_modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(makes(path)))  # type: ignore[arg-type]
        elif isinstance(module, _BatchNorm):
            hooks.append(module.register_forward_pre_hook(takes(path)))  # type: ignore[arg-type]
    backbone(picture)
    for hook in hooks:
        hook.remove()
    return pairs


def _activation(norm: nn.Module) -> nn.Module:
    """Return what a batch norm of timm does beside normalising."""
    activation = getattr(norm, "act", None)
    return activation if isinstance(activation, nn.Module) else nn.Identity()


def _replace(network: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, leaf = path.rpartition(".")
    setattr(network.get_submodule(parent), leaf, module)
