"""Layers of Baikulov's network: inverted residuals over place and stacks, and a generalised mean."""

from __future__ import annotations

import torch
from timm.layers.drop import DropPath
from torch import Tensor, nn
from torch.nn import functional as F


class InvertedResidual3d(nn.Module):
    """Widen, look around in stacks and place, weigh channels, narrow again: (B, C, S, H, W) in and out."""

    def __init__(self, dim: int, expand: int = 3, reduce: int = 24, drop_path: float = 0.2) -> None:
        super().__init__()
        wide = expand * dim
        self.widen = nn.Conv3d(dim, wide, 1, bias=False)
        self.norm1 = nn.BatchNorm3d(wide)
        self.around = nn.Conv3d(wide, wide, 3, padding=1, groups=wide, bias=False)
        self.norm2 = nn.BatchNorm3d(wide)
        self.squeeze = nn.Conv3d(wide, wide // reduce, 1)
        self.excite = nn.Conv3d(wide // reduce, wide, 1)
        self.narrow = nn.Conv3d(wide, dim, 1, bias=False)
        self.norm3 = nn.BatchNorm3d(dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, S, H, W)."""
        wide = F.silu(self.norm1(self.widen(x)), inplace=True)
        wide = F.silu(self.norm2(self.around(wide)), inplace=True)
        weight = self.excite(F.silu(self.squeeze(wide.mean((2, 3, 4), keepdim=True)))).sigmoid()
        narrow: Tensor = self.drop_path(self.norm3(self.narrow(wide * weight)))
        return x + narrow


class GeneralisedMean(nn.Module):
    """Average over place by a learned power: 1 is the mean, the more the nearer to the highest."""

    def __init__(self, power: float = 3.0, least: float = 1e-6) -> None:
        super().__init__()
        self.power, self.least = nn.Parameter(torch.tensor([power])), least

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C) for (B, C, H, W)."""
        return x.clamp(min=self.least).pow(self.power).mean((-2, -1)).pow(1 / self.power)


def projection(dim: int, out: int) -> nn.Sequential:
    """Return a pointwise layer on (B, dim, H, W)."""
    return nn.Sequential(nn.Conv2d(dim, out, 1, bias=False), nn.BatchNorm2d(out), nn.SiLU(inplace=True))
