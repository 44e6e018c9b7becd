"""From raw features to tokens: every stream and extractor normalised and projected on its own, then summed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

Layout = Mapping[str, Mapping[str, Any]]


class StreamEmbedding(nn.Module):
    """Embed feature streams of any rate and width as tokens at ``upsample`` per frame.

    layout : per stream its ``fps``, the ``clock_fps`` of the frames, and the ``groups`` of its columns
    dropout : of the normalised features
    group_drop : share of (clip, extractor) pairs left out in training
    row_drop : share of rows replaced by a learned vector in training
    """

    def __init__(
        self,
        layout: Layout,
        dim: int,
        upsample: int = 1,
        dropout: float = 0.4,
        group_drop: float = 0.1,
        row_drop: float = 0.2,
    ) -> None:
        super().__init__()
        self.upsample = upsample
        self.step = {name: stream["fps"] / (stream["clock_fps"] * upsample) for name, stream in layout.items()}
        self.streams = nn.ModuleDict(
            {name: GroupProjection(stream["groups"], dim, dropout, group_drop) for name, stream in layout.items()}
        )
        self.row_drop = row_drop
        self.dropped = nn.Parameter(torch.zeros(dim)) if row_drop > 0 else None

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return tokens (B, T * upsample, dim) for the streams' rows; ``valid`` is (B, T)."""
        count = valid.shape[1] * self.upsample
        tokens = valid.new_zeros((), dtype=torch.float32)
        for name, projection in self.streams.items():
            rows = projection(inputs[name])  # (B, R, dim)
            if self.training and self.dropped is not None:
                gone = torch.rand(rows.shape[:2], device=rows.device) < self.row_drop
                rows = torch.where(gone[..., None], self.dropped.to(rows.dtype), rows)
            step = self.step[name]
            inside = valid_rows(valid, phase[name], step * self.upsample, rows.shape[1])
            tokens = tokens + resample(rows, phase[name], step, count, inside)
        return tokens


class GroupProjection(nn.Module):
    """Normalise, drop out and project each group of columns on its own, and sum the results.

    Extractors differ in scale; without normalisation the loudest wins. (B, R, sum(groups)) -> (B, R, dim)
    """

    def __init__(self, groups: list[int], dim: int, dropout: float, group_drop: float) -> None:
        super().__init__()
        self.groups, self.group_drop = list(groups), group_drop
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in groups)
        self.projections = nn.ModuleList(nn.Linear(width, dim) for width in groups)
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the sum of the projected groups (B, R, dim)."""
        parts = zip(torch.split(rows, self.groups, dim=-1), self.norms, self.projections, strict=True)
        projected = [project(self.dropout(norm(part))) for part, norm, project in parts]
        if self.training and self.group_drop > 0 and len(projected) > 1:
            keep = torch.rand(len(projected), rows.shape[0], 1, 1, device=rows.device) >= self.group_drop
            projected = [part * kept for part, kept in zip(projected, keep, strict=True)]
        return torch.stack(projected).sum(0)


def resample(rows: Tensor, phase: Tensor, step: float, count: int, valid: Tensor | None = None) -> Tensor:
    """Interpolate rows linearly in time: (B, R, dim) -> (B, count, dim).

    Token j lies at row ``phase + j * step``; before the first row and after the last the end is repeated. Rows that
    are not ``valid`` (B, R) do not count where a valid neighbour does.
    """
    if step == 1 and rows.shape[1] == count:
        return rows
    position = phase[:, None] + step * torch.arange(count, device=rows.device)
    position = position.clamp(0, rows.shape[1] - 1)
    hat = (1 - (position[..., None] - torch.arange(rows.shape[1], device=rows.device)).abs()).clamp(min=0)
    if valid is not None:
        inside = hat * valid[:, None]
        total = inside.sum(-1, keepdim=True)
        hat = torch.where(total > 0, inside / total.clamp(min=1e-6), hat)
    return hat.to(rows.dtype) @ rows


def valid_rows(valid: Tensor, phase: Tensor, step: float, rows: int) -> Tensor:
    """Return which rows of a stream lie inside the half (B, rows), where ``valid`` (B, T) frames do.

    Frame i lies at row ``phase + i * step``. A row counts as the last frame at or before it; rows before the clip's
    first frame and after its last count as these.
    """
    frame = (torch.arange(rows, device=valid.device) - phase[:, None]) / step + 1e-3
    return valid.gather(1, frame.floor().long().clamp(0, valid.shape[1] - 1))


def time_code(count: int, dim: int, device: torch.device) -> Tensor:
    """Return the sinusoidal code of positions 0 … count - 1: (count, dim), after Vaswani et al., 2017."""
    rate = torch.exp(torch.arange(0, dim, 2, device=device) * (-math.log(10_000.0) / dim))
    angle = torch.arange(count, device=device)[:, None] * rate
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)[:, :dim]


def encoder(dim: int, layers: int, heads: int, feedforward: int, dropout: float) -> nn.TransformerEncoder:
    """Return a pre-norm transformer encoder with GELU."""
    layer = nn.TransformerEncoderLayer(
        dim, heads, feedforward, dropout, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(dim), enable_nested_tensor=False)
