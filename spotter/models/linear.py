"""Nothing but the frame itself: what can be told without context."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spotter.models.embed import Layout, resample


class PerFrame(nn.Module):
    """Pass on normalised features; with a linear head this is logistic regression on single frames."""

    def __init__(self, layout: Layout, upsample: int = 1) -> None:
        super().__init__()
        self.upsample = upsample
        self.step = {name: stream["fps"] / (stream["clock_fps"] * upsample) for name, stream in layout.items()}
        self.norms = nn.ModuleDict(
            {name: nn.ModuleList(nn.LayerNorm(width) for width in s["groups"]) for name, s in layout.items()}
        )
        self.width = sum(sum(stream["groups"]) for stream in layout.values())

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T * upsample, width) for inputs (B, rows, features) and ``valid`` (B, T)."""
        streams = []
        for name, norms in self.norms.items():
            groups = [norm.normalized_shape[0] for norm in norms]
            parts = zip(inputs[name].split(groups, dim=-1), norms, strict=True)
            rows = torch.cat([norm(part) for part, norm in parts], dim=-1)
            inside = valid if rows.shape[1] == valid.shape[1] else None
            streams.append(resample(rows, phase[name], self.step[name], valid.shape[1] * self.upsample, inside))
        return torch.cat(streams, dim=-1)
