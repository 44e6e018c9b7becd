"""Batch norms fused into convolutions, and images in the memory order that CPUs like: the same network, but faster."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

SIZE = 64  # of the images that a network is traced with


def fuse_batchnorm(backbone: nn.Module) -> None:
    """Fuse the batch norms of a backbone in eval mode in place; its output stays the same, except for rounding.

    It must take a batch of two images, as two frames of a clip.
    """
    for convolution, norm in _find_pairs(backbone, example_images(backbone)):
        before, then = backbone.get_submodule(convolution), backbone.get_submodule(norm)
        _replace(backbone, convolution, fuse_conv_bn_eval(cast(nn.Conv2d, before), cast(nn.BatchNorm2d, then)))
        _replace(backbone, norm, _activation(then))
    backbone.to(memory_format=torch.channels_last)


def example_images(backbone: nn.Module) -> Tensor:
    """Return two black images as a backbone takes them, to trace it with."""
    first = next(module for module in backbone.modules() if isinstance(module, nn.Conv2d))
    return first.weight.new_zeros(2, first.in_channels, SIZE, SIZE)


@torch.no_grad()
def _find_pairs(backbone: nn.Module, images: Tensor) -> list[tuple[str, str]]:
    """Run the backbone, and return the paths of each convolution and of the batch norm that takes its output.

    Families of backbones name and nest these modules differently; the data takes the same way in all.
    """
    made: dict[int, tuple[str, Tensor]] = {}  # holds on to the tensors, for ids are only unique among what lives
    pairs = []

    def record(path: str) -> object:
        return lambda module, inputs, output: made.__setitem__(id(output), (path, output))

    def compare(path: str) -> object:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if id(inputs[0]) in made:
                pairs.append((made.pop(id(inputs[0]))[0], path))

        return hook

    hooks = []
    for path, module in backbone.named_modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(record(path)))  # type: ignore[arg-type]
        elif isinstance(module, _BatchNorm):
            hooks.append(module.register_forward_pre_hook(compare(path)))  # type: ignore[arg-type]
    backbone(images)
    for hook in hooks:
        hook.remove()
    return pairs


def _activation(norm: nn.Module) -> nn.Module:
    """Return the activation that a batch norm of timm includes."""
    activation = getattr(norm, "act", None)
    return activation if isinstance(activation, nn.Module) else nn.Identity()


def _replace(network: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, leaf = path.rpartition(".")
    setattr(network.get_submodule(parent), leaf, module)
