"""Scalable granularity perception: T-DEED's blocks over time, without attention; (B, d, T) in and out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelNorm(nn.LayerNorm):
    """Normalise (B, d, T) over its channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, d, T)."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Branches(nn.Module):
    """See a sequence at two scales in time, and every instant by what the whole sequence is like.

    kernel : of the narrower window, in frames
    ratio : how much wider the other one is; it is made odd
    """

    def __init__(self, dim: int, kernel: int, ratio: float) -> None:
        super().__init__()
        wide = round((kernel + 1) * ratio)
        self.gate = _depthwise(dim, kernel)
        self.narrow = _depthwise(dim, kernel)
        self.wide = _depthwise(dim, wide + 1 - wide % 2)
        self.instant = _depthwise(dim, 1)
        self.overall = _depthwise(dim, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the windows' branch and the instants', (B, d, T) each."""
        windows = (self.narrow(x) + self.wide(x)) * self.gate(x)
        return windows, self.instant(x) * F.relu(self.overall(x.mean(-1, keepdim=True)))


class FeedForward(nn.Module):
    """Add a layer of four times the width to (B, d, T), normalised in 16 groups."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(16, dim)
        self.layers = nn.Sequential(nn.Conv1d(dim, 4 * dim, 1), nn.GELU(), nn.Conv1d(4 * dim, dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, d, T)."""
        return x + self.layers(self.norm(x))


class SGP(nn.Module):
    """Mix frames with their surroundings, after Shi et al., *TriDet*, 2023."""

    def __init__(self, dim: int, kernel: int, ratio: float) -> None:
        super().__init__()
        self.norm, self.branches, self.feed_forward = ChannelNorm(dim), Branches(dim, kernel, ratio), FeedForward(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, d, T)."""
        normed = self.norm(x)
        windows, instants = self.branches(normed)
        return self.feed_forward(x + instants + windows + normed)


class SGPMixer(nn.Module):
    """Bring a sequence back to the length of an earlier one and mix both."""

    def __init__(self, dim: int, kernel: int, ratio: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(ChannelNorm(dim) for _ in range(2))
        self.branches = nn.ModuleList(Branches(dim, kernel, ratio) for _ in range(2))
        self.join = nn.Conv1d(6 * dim, dim, 1)
        nn.init.normal_(self.join.weight, std=0.1)
        nn.init.zeros_(self.join.bias)  # type: ignore[arg-type]
        self.feed_forward = FeedForward(dim)

    def forward(self, x: Tensor, earlier: Tensor) -> Tensor:
        """Return (B, d, T) for x (B, d, t) and what the encoder had at that length, (B, d, T)."""
        skip, low = self.norms[0](earlier), self.norms[1](x)
        low = F.interpolate(low, size=skip.shape[-1], mode="linear", align_corners=True)
        parts = [branches(each) for branches, each in zip(self.branches, (skip, low), strict=True)]
        windows, instants = zip(*parts, strict=True)
        return self.feed_forward(F.gelu(self.join(torch.cat((*windows, *instants, skip, low), 1))))


class EncoderDecoder(nn.Module):
    """Halve the length ``layers`` times and bring it back, with an SGP at every length on either way.

    After Xarles et al., *T-DEED*, 2024.
    """

    def __init__(self, dim: int, layers: int, kernel: int, ratio: float) -> None:
        super().__init__()
        self.layers = layers
        self.blocks = nn.ModuleList(SGP(dim, kernel, ratio) for _ in range(2 * layers + 1))
        self.mixers = nn.ModuleList(SGPMixer(dim, kernel, ratio) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, d, T)."""
        length, earlier = x.shape[-1], []
        for i in range(self.layers):
            x = self.blocks[i](x)
            earlier.append(x)
            x = F.adaptive_max_pool1d(x, -(-length // 2 ** (i + 1)))
        x = self.blocks[self.layers](x)
        for i in range(self.layers):
            at = self.layers - 1 - i
            x = self.blocks[self.layers + 1 + i](self.mixers[at](x, earlier[at]))
        return x


def _depthwise(dim: int, kernel: int) -> nn.Conv1d:
    layer = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
    nn.init.normal_(layer.weight, std=0.1)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
