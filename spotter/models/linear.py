"""Nothing but the frame itself: what can be told without context."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from spotter.models.embed import Layout, resample, valid_rows


class PerFrame(nn.Module):
    """Pass on normalised features; with a linear head this is logistic regression on single frames."""

    def __init__(self, layout: Layout, upsample: int = 1) -> None:
        super().__init__()
        self.upsample = upsample
        self.step = {name: stream["fps"] / (stream["clock_fps"] * upsample) for name, stream in layout.items()}
        self.groups = {name: list(stream["groups"]) for name, stream in layout.items()}
        self.norms = nn.ModuleDict(
            {name: nn.ModuleList(nn.LayerNorm(width) for width in groups) for name, groups in self.groups.items()}
        )
        self.width = sum(sum(groups) for groups in self.groups.values())

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T * upsample, width) for inputs (B, rows, features) and ``valid`` (B, T)."""
        streams = []
        for name, groups in self.groups.items():
            norms = cast(nn.ModuleList, self.norms[name])
            parts = zip(torch.split(inputs[name], groups, dim=-1), norms, strict=True)
            rows = torch.cat([norm(part) for part, norm in parts], dim=-1)
            step = self.step[name]
            inside = valid_rows(valid, phase[name], step * self.upsample, rows.shape[1])
            streams.append(resample(rows, phase[name], step, valid.shape[1] * self.upsample, inside))
        return torch.cat(streams, dim=-1)
