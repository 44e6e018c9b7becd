"""An encoder over the rows of all extractors side by side, and a decoder with a learned query for every anchor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks.stream_embedding import Layout, time_code, valid_rows

FOCUS = 12.0  # how much nearer rows attract a query at the start


class Astra(Network):
    """Encode the rows of every extractor as tokens of their own, and ask them for every anchor of the clip.

    clip_len : frames of a clip; the learned codes and queries fix it
    segments : per encoder layer, into how many parts of the clip it is cut; a token attends within its part
    feedforward, dropout : of encoder and decoder
    hidden : width between the two layers that embed an extractor, None for as many as it has columns
    input_dropout : before each of these layers
    row_drop : share of rows that a learned vector replaces in training; it always stands for rows outside the half
    normalise : bring every extractor to one scale first; the original does not

    After Xarles et al., *ASTRA: An Action Spotting TRAnsformer for Soccer Videos*, 2023. A second stream, of audio
    features for instance, is embedded like another extractor, at its own rate. How weights start is chosen here, see
    ``look_near``.
    """

    def __init__(
        self,
        layout: Layout,
        clip_len: int,
        upsample: int = 1,
        dim: int = 512,
        heads: int = 8,
        feedforward: int = 2048,
        dropout: float = 0.1,
        segments: Sequence[int] = (4, 2, 1),
        decoder_layers: int = 3,
        hidden: int | None = None,
        input_dropout: float = 0.4,
        row_drop: float = 0.5,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        if not segments or not all(1 <= count <= clip_len for count in segments):
            raise ValueError(f"model.network.segments: expected numbers within 1 … {clip_len}, found {list(segments)}")
        if heads < 1 or dim % heads:
            raise ValueError(f"model.network.heads: {dim} columns cannot be shared by {heads} heads; give a divisor")
        self.width, self.upsample, self.clip_len, self.segments = dim, upsample, clip_len, list(segments)
        self.step = {name: stream["fps"] / stream["clock_fps"] for name, stream in layout.items()}
        self.extractors = {name: len(stream["groups"]) for name, stream in layout.items()}
        self.streams = nn.ModuleDict(
            {
                name: ExtractorTokens(stream["groups"], dim, hidden, input_dropout, row_drop, normalise)
                for name, stream in layout.items()
            }
        )
        # Both start as sinusoids of their times: what is learnt of one moment then holds for others from the start.
        code = time_code(clip_len * upsample, dim, torch.device("cpu"))
        self.time = nn.Parameter(code[::upsample].clone())
        self.queries = nn.Parameter(code)
        shape: dict[str, Any] = {"dim_feedforward": feedforward, "dropout": dropout, "batch_first": True}
        self.encoder = nn.ModuleList(nn.TransformerEncoderLayer(dim, heads, **shape) for _ in segments)
        decoder = [nn.TransformerDecoderLayer(dim, heads, **shape) for _ in range(decoder_layers)]
        for layer in decoder:
            look_near(layer.multihead_attn)
        self.decoder = nn.ModuleList(decoder)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T * upsample, width) for inputs (B, rows, features) and ``valid`` (B, T).

        Raises UserError for clips of another length than ``clip_len``.
        """
        if valid.shape[1] != self.clip_len:
            said = f"this network takes {self.clip_len} frames, found {valid.shape[1]}"
            raise UserError(f"model.clips: {said}; clip_len and eval_len must be the same")
        tokens, frames = [], []
        for name, embed in self.streams.items():
            step, count = self.step[name], inputs[name].shape[1]
            inside = valid_rows(valid, phase[name], step, count)  # (B, R)
            rows = torch.arange(count, device=valid.device)
            frame = ((rows - phase[name][:, None]) / step).clamp(0, self.clip_len - 1)  # (B, R)
            tokens.append(embed(inputs[name], inside, interpolated(self.time, frame)))
            frames.append((rows / step).clamp(max=self.clip_len - 1).repeat(self.extractors[name]))
        x = torch.cat(tokens, dim=1)  # (B, S, dim), S rows of all extractors
        x = self._encoded(x, torch.cat(frames))
        out = self.queries.expand(len(x), -1, -1)
        for layer in self.decoder:
            out = layer(out, x)
        return out

    def _encoded(self, x: Tensor, frames: Tensor) -> Tensor:
        """Return x (B, S, dim), encoded; ``frames`` (S,) says where in the clip a token lies."""
        for layer, count in zip(self.encoder, self.segments, strict=True):
            x = layer(x, src_mask=None if count == 1 else hidden_between(frames, count, self.clip_len))
        return x


class ExtractorTokens(nn.Module):
    """Make tokens of every extractor's rows: (B, R, sum(groups)) -> (B, groups * R, dim), extractor by extractor."""

    def __init__(
        self, groups: Sequence[int], dim: int, hidden: int | None, dropout: float, row_drop: float, normalise: bool
    ) -> None:
        super().__init__()
        self.groups, self.row_drop = list(groups), row_drop
        self.embed = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width) if normalise else nn.Identity(),
                *(nn.Dropout(dropout), nn.Linear(width, hidden or width), nn.ReLU()),
                *(nn.Dropout(dropout), nn.Linear(hidden or width, dim), nn.ReLU()),
            )
            for width in groups
        )
        for layer in self.embed.modules():
            if isinstance(layer, nn.Linear):  # so that features are not drowned by the codes
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        self.code = nn.Parameter(0.02 * torch.randn(len(self.groups), dim))
        self.dropped = nn.Parameter(torch.zeros(dim))

    def forward(self, rows: Tensor, inside: Tensor, time: Tensor) -> Tensor:
        """Return the tokens of ``rows``, of which those ``inside`` (B, R) count; ``time`` is their code (B, R, dim)."""
        if self.training:
            inside = inside & (torch.rand(inside.shape, device=inside.device) >= self.row_drop)
        parts = zip(self.embed, torch.split(rows, self.groups, dim=-1), strict=True)
        tokens = torch.stack([embed(part) for embed, part in parts], dim=1)  # (B, groups, R, dim)
        tokens = torch.where(inside[:, None, :, None], tokens, self.dropped.to(tokens.dtype))
        return (tokens + time[:, None] + self.code[:, None]).flatten(1, 2)


@torch.no_grad()
def look_near(attention: nn.MultiheadAttention) -> None:
    """Let queries and keys start as they come, so that a query looks at the rows of its own time from the start.

    Else it looks at all of them alike, all answers are the same, and it takes long until that changes.
    """
    attention.in_proj_weight[: 2 * attention.embed_dim] = FOCUS**0.5 * torch.eye(attention.embed_dim).repeat(2, 1)


def interpolated(code: Tensor, frame: Tensor) -> Tensor:
    """Return the codes (B, R, dim) of times ``frame`` (B, R) between the rows of ``code`` (T, dim)."""
    hat = 1 - (frame[..., None] - torch.arange(len(code), device=frame.device)).abs()
    return hat.clamp(min=0).to(code.dtype) @ code


def hidden_between(frames: Tensor, count: int, clip_len: int) -> Tensor:
    """Return which tokens do not see which others (S, S), as they lie in different ones of ``count`` segments."""
    segment = (frames * count / clip_len).floor()
    return segment[:, None] != segment
