"""Gated shifts over several distances in time, and gate-shift-fuse: a learned weight of what moved and what stayed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.models.blocks.shift import Frames, GatedShift, layout_of, split_channels


class DilatedShift(GatedShift):
    """Move a quarter of the channels, gated: equal parts of them by one frame, by two, and so on.

    dilations : how many frames each part moves

    After Xu et al., *Multi-Scale Attention Gate Shift Module*, 2025, without its attention.
    """

    def __init__(self, frames: Frames, channels: int, dilations: Sequence[int] = (1, 2, 4)) -> None:
        super().__init__(frames, channels)
        self.dilations = tuple(dilations)

    def forward(self, x: Tensor) -> Tensor:
        """Return the shifted (B * T, C, H, W)."""
        memory, count = layout_of(x), self.frames.count
        moving = split_channels(x[:, : self.fold], count)  # (B, T, 2, F / 2, H, W)
        moved = self.gate(x[:, : self.fold])[:, :, :, None] * moving
        mixed = self.join(shift_halves(moved, self.dilations), moving - moved)
        return torch.cat((mixed.flatten(0, 1).flatten(1, 2), x[:, self.fold :]), 1).contiguous(memory_format=memory)

    def join(self, moved: Tensor, stayed: Tensor) -> Tensor:
        """Return what comes of what moved and what stayed, (B, T, 2, F / 2, H, W) all."""
        return moved + stayed

    def gate(self, x: Tensor) -> Tensor:
        """Return the gates (B, T, 2, H, W) of the channels (B * T, F, H, W) that may move."""
        taps = F.conv2d(F.relu(self.bn(x)), self.weight, padding=1, groups=2)
        before, now, after = taps.view(-1, self.frames.count, 2, 3, *x.shape[2:]).unbind(3)  # (B, T, 2, H, W)
        gate = now + later(before, 1) + earlier(after, 1)
        return torch.tanh(gate + self.bias.to(gate.dtype)[:, None, None])


class FusedShift(DilatedShift):
    """Move a quarter of the channels, gated, and weigh what moved against what stayed.

    The weight of each channel and frame comes from a convolution over the map of channels and frames of both parts'
    means. After Sudhakaran et al., *Gate-Shift-Fuse for Video Action Recognition*, 2023; the interleaving of channels
    is left out as in ``GatedShift``.
    """

    def __init__(self, frames: Frames, channels: int, dilations: Sequence[int] = (1,)) -> None:
        super().__init__(frames, channels, dilations)
        bound = (27 * self.fold / 2) ** -0.5  # PyTorch's own for a 3-D convolution of this size; gates begin open
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)
        self.fuse = nn.ModuleList(nn.Conv2d(2, 1, 3, padding=1) for _ in range(2))

    def join(self, moved: Tensor, stayed: Tensor) -> Tensor:
        """Return the weighted mean of both parts."""
        planes = torch.stack((moved.mean((-2, -1)), stayed.mean((-2, -1))))  # (2, B, T, 2, F / 2)
        halves = planes.permute(3, 1, 0, 4, 2)  # (2, B, 2, F / 2, T)
        weights = [cast(Tensor, fuse(half)) for fuse, half in zip(self.fuse, halves, strict=True)]
        weight = torch.cat(weights, 1).permute(0, 3, 1, 2).sigmoid()  # of (B, 2, F / 2, T)
        return torch.lerp(stayed, moved, weight[..., None, None].to(moved.dtype))


def later(x: Tensor, by: int) -> Tensor:
    """Return (B, T, …) in which every frame has what the one ``by`` frames before it had; zeros in the first."""
    return torch.cat((torch.zeros_like(x[:, :by]), x[:, :-by]), 1)


def earlier(x: Tensor, by: int) -> Tensor:
    """Return (B, T, …) in which every frame has what the one ``by`` frames after it had; zeros in the last."""
    return torch.cat((x[:, by:], torch.zeros_like(x[:, :by])), 1)


def shift_halves(x: Tensor, dilations: Sequence[int]) -> Tensor:
    """Move the first half of the channels (B, T, 2, F / 2, H, W) back and the other forward, parts of each further."""
    parts = torch.tensor_split(x, len(dilations), 3)
    pairs = [(part[:, :, 0], part[:, :, 1], by) for part, by in zip(parts, dilations, strict=True)]
    return torch.cat([torch.stack((earlier(back, by), later(forth, by)), 2) for back, forth, by in pairs], 3)
