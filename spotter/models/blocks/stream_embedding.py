"""From raw features to tokens: every stream and extractor is normalised and projected separately, then summed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.blocks.dropout import Dropout
from spotter.models.blocks.entity_sets import embed_entities


class StreamEmbedding(nn.Module):
    """Embed feature streams of any rate and width as tokens at ``upsample`` per frame.

    layout : per stream its ``fps``, the ``clock_fps`` of the frames, and the ``groups`` of its columns; streams of
        positions have ``entities``, whose sets are encoded first
    dim : of the tokens, to which all streams are projected and summed; None leaves them as they are, side by side
    dropout : of the normalised features
    extractor_dropout : fraction of (clip, extractor) pairs left out in training
    token_dropout : fraction of rows replaced by a learned vector in training
    normalise : bring every extractor to one scale first
    """

    def __init__(
        self,
        layout: Layout,
        dim: int | None,
        upsample: int = 1,
        dropout: float = 0.4,
        extractor_dropout: float = 0.1,
        token_dropout: float = 0.2,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        self.upsample, self.dim = upsample, dim
        self.step = {name: stream["fps"] / (stream["clock_fps"] * upsample) for name, stream in layout.items()}
        self.sets, layout = embed_entities(layout)
        groups = {name: list(stream["groups"]) for name, stream in layout.items()}
        self.width = sum(map(sum, groups.values())) if dim is None else dim
        kinds = {
            name: GroupProjection(each, dim, dropout, extractor_dropout, normalise)
            if dim is not None
            else Groups(each, dropout, extractor_dropout, normalise)
            for name, each in groups.items()
        }
        self.streams = nn.ModuleDict(kinds)
        if dim is None and token_dropout > 0:
            raise UserError(
                "model.network.token_dropout: a learned vector takes the place of projected rows; give a dim"
            )
        self.token_dropout = token_dropout
        self.dropped = nn.Parameter(torch.zeros(dim)) if dim is not None and token_dropout > 0 else None

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return tokens (B, T * upsample, width) for the streams' rows; ``valid`` is (B, T)."""
        count = valid.shape[1] * self.upsample
        tokens = []
        for name, projection in self.streams.items():
            rows, step = inputs[name], self.step[name]
            inside = valid_rows(valid, phase[name], step * self.upsample, rows.shape[1])
            if name in self.sets:
                rows = self.sets[name](rows, inside)
            rows = projection(rows)  # (B, R, dim)
            if self.training and self.dropped is not None:
                dropped = torch.rand(rows.shape[:2], device=rows.device) < self.token_dropout
                rows = torch.where(dropped[..., None], self.dropped.to(rows.dtype), rows)
            tokens.append(resample(rows, phase[name], step, count, inside))
        return torch.cat(tokens, dim=-1) if self.dim is None else sum_tensors(tokens)


class Groups(nn.Module):
    """Normalise and drop out each group of columns separately: (B, R, sum(groups)) -> (B, R, sum(groups)).

    Extractors differ in scale; without normalisation that of the largest values dominates.
    """

    def __init__(self, groups: list[int], dropout: float, extractor_dropout: float, normalise: bool) -> None:
        super().__init__()
        self.groups, self.extractor_dropout = list(groups), extractor_dropout
        self.norms = nn.ModuleList(nn.LayerNorm(width) if normalise else nn.Identity() for width in groups)
        self.dropout = Dropout(dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the groups side by side."""
        return torch.cat(self._drop_extractors(self._parts(rows)), dim=-1)

    def _parts(self, rows: Tensor) -> list[Tensor]:
        parts = zip(torch.split(rows, self.groups, dim=-1), self.norms, strict=True)
        return [self.dropout(norm(part)) for part, norm in parts]

    def _drop_extractors(self, parts: list[Tensor]) -> list[Tensor]:
        if not self.training or self.extractor_dropout == 0 or len(parts) < 2:
            return parts
        keep = torch.rand(len(parts), parts[0].shape[0], 1, 1, device=parts[0].device) >= self.extractor_dropout
        return [part * kept for part, kept in zip(parts, keep, strict=True)]


class GroupProjection(Groups):
    """Project each group separately as well, and sum the results: (B, R, sum(groups)) -> (B, R, dim)."""

    def __init__(
        self, groups: list[int], dim: int, dropout: float, extractor_dropout: float, normalise: bool = True
    ) -> None:
        super().__init__(groups, dropout, extractor_dropout, normalise)
        self.projections = nn.ModuleList(nn.Linear(width, dim) for width in groups)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the sum of the projected groups (B, R, dim)."""
        parts = zip(self._parts(rows), self.projections, strict=True)
        return sum_tensors(self._drop_extractors([project(part) for part, project in parts]))


def sum_tensors(parts: list[Tensor]) -> Tensor:
    """Return the sum of tensors of one shape."""
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)


def resample(rows: Tensor, phase: Tensor, step: float, count: int, valid: Tensor | None = None) -> Tensor:
    """Interpolate rows linearly in time: (B, R, dim) -> (B, count, dim).

    Token j lies at row ``phase + j * step``; before the first row and after the last the end is repeated. Rows that
    are not ``valid`` (B, R) do not count where a valid neighbour does.
    """
    if step == 1 and rows.shape[1] == count:
        return rows
    position = phase[:, None] + step * torch.arange(count, device=rows.device)
    position = position.clamp(0, rows.shape[1] - 1)
    weight = (1 - (position[..., None] - torch.arange(rows.shape[1], device=rows.device)).abs()).clamp(min=0)
    if valid is not None:
        inside = weight * valid[:, None]
        total = inside.sum(-1, keepdim=True)
        weight = torch.where(total > 0, inside / total.clamp(min=1e-6), weight)
    return weight.to(rows.dtype) @ rows


def valid_rows(valid: Tensor, phase: Tensor, step: float, rows: int) -> Tensor:
    """Return which rows of a stream lie inside the half (B, rows), where ``valid`` (B, T) frames do.

    Frame i lies at row ``phase + i * step``. A row counts as the last frame at or before it; rows before the clip's
    first frame and after its last count as these.
    """
    frame = (torch.arange(rows, device=valid.device) - phase[:, None]) / step + 1e-3
    return valid.gather(1, frame.floor().long().clamp(0, valid.shape[1] - 1))


def positional_encoding(count: int, dim: int, device: torch.device) -> Tensor:
    """Return the sinusoidal encoding of positions 0 … count - 1: (count, dim), after Vaswani et al., 2017."""
    frequency = torch.exp(torch.arange(0, dim, 2, device=device) * (-math.log(10_000.0) / dim))
    angle = torch.arange(count, device=device)[:, None] * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)[:, :dim]


def encoder(
    dim: int,
    layers: int,
    heads: int,
    feedforward: int,
    dropout: float,
    attention_dropout: float | None = None,
    kind: type[nn.TransformerEncoderLayer] = nn.TransformerEncoderLayer,
) -> nn.TransformerEncoder:
    """Return a pre-norm transformer encoder with GELU.

    attention_dropout : of the attention itself, by default as everywhere else; 0 makes long clips several times cheaper
    kind : of the layers, ``LongClipLayer`` for long clips
    """
    if layers < 1 or heads < 1 or dim % heads:
        raise UserError(
            f"model.network: expected at least one layer, and a dim that is a multiple of heads; "
            f"found layers {layers}, dim {dim}, heads {heads}"
        )
    layer = kind(dim, heads, feedforward, dropout, activation="gelu", batch_first=True, norm_first=True)
    layer.dropout = layer.dropout1 = layer.dropout2 = Dropout(dropout)  # nothing is learned in it
    if attention_dropout is not None:
        layer.self_attn.dropout = attention_dropout
    return nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(dim), enable_nested_tensor=False)
