"""The multi-stage temporal convolutional network: each stage refines the class scores of the one before."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.models.blocks.dropout import Dropout


class MSTCN(nn.Module):
    """Make class scores (stages, B, T, 1 + K) of features (B, T, d).

    After Farha and Gall, *MS-TCN*, 2019, in the size that E2E-Spot gives it.
    """

    width = 0

    def __init__(self, features: int, classes: int, stages: int = 3, dim: int = 256, layers: int = 5) -> None:
        super().__init__()
        sizes = [features] + [1 + classes] * (stages - 1)
        self.stages = nn.ModuleList(_Stage(size, dim, 1 + classes, layers) for size in sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of every stage, (stages, B, T, 1 + K)."""
        x, scores = x.transpose(1, 2), []
        for stage in self.stages:
            scores.append(stage(x))  # (B, 1 + K, T)
            x = scores[-1].softmax(1)
        return torch.stack(scores).transpose(2, 3)


class _Stage(nn.Module):
    def __init__(self, features: int, dim: int, outputs: int, layers: int) -> None:
        super().__init__()
        self.conv_1x1 = nn.Conv1d(features, dim, 1)
        self.layers = nn.ModuleList(_Layer(dim, 2**i) for i in range(layers))
        self.conv_out = nn.Conv1d(dim, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_1x1(x)
        for layer in self.layers:
            x = layer(x)
        return self.conv_out(x)


class _Layer(nn.Module):
    def __init__(self, dim: int, dilation: int) -> None:
        super().__init__()
        self.conv_dilated = nn.Conv1d(dim, dim, 3, padding=dilation, dilation=dilation)
        self.conv_1x1 = nn.Conv1d(dim, dim, 1)
        self.dropout = Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.conv_1x1(F.relu(self.conv_dilated(x))))
