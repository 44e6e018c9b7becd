"""An encoder over the rows of all extractors side by side, and a decoder with a learned query for every anchor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks.dropout import Dropout
from spotter.models.blocks.entity_sets import embed_entities
from spotter.models.blocks.stream_embedding import positional_encoding, valid_rows

FOCUS = 12.0  # scale of the initial attention; the higher, the narrower


class Astra(Network):
    """Encode the rows of every extractor as tokens of their own, and decode them with a learned query per anchor.

    clip_len : frames of a clip; the learned codes and queries fix it
    segments : per encoder layer, into how many parts of the clip it is cut; a token attends within its part
    feedforward, dropout : of encoder and decoder
    hidden : width between the two layers that embed an extractor, None for as many as it has columns
    input_dropout : before each of these layers
    token_dropout : fraction of rows that a learned vector replaces in training, as it always does outside the half
    normalise : bring every extractor to one scale first; the original does not

    After Xarles et al., *ASTRA: An Action Spotting TRAnsformer for Soccer Videos*, 2023. A second stream, of audio
    features for instance, is embedded like another extractor, at its own rate. How weights start is chosen here, see
    ``init_qk_identity``.
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
        token_dropout: float = 0.5,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        if not segments or not all(1 <= count <= clip_len for count in segments):
            raise UserError(f"model.network.segments: expected numbers within 1 … {clip_len}, found {list(segments)}")
        if heads < 1 or dim % heads:
            raise UserError(f"model.network.heads: {dim} columns cannot be shared by {heads} heads; give a divisor")
        self.width, self.upsample, self.clip_len, self.segments = dim, upsample, clip_len, list(segments)
        self.sets, layout = embed_entities(layout)
        self.step = {name: stream["fps"] / stream["clock_fps"] for name, stream in layout.items()}
        self.extractors = {name: len(stream["groups"]) for name, stream in layout.items()}
        self.streams = nn.ModuleDict(
            {
                name: ExtractorTokens(stream["groups"], dim, hidden, input_dropout, token_dropout, normalise)
                for name, stream in layout.items()
            }
        )
        # Both start as sinusoids of their times, so that what is learnt at one time holds at others.
        code = positional_encoding(clip_len * upsample, dim, torch.device("cpu"))
        self.time = nn.Parameter(code[::upsample].clone())
        self.queries = nn.Parameter(code)
        shape: dict[str, Any] = {"dim_feedforward": feedforward, "dropout": dropout, "batch_first": True}
        self.encoder = nn.ModuleList(nn.TransformerEncoderLayer(dim, heads, **shape) for _ in segments)
        decoder = [nn.TransformerDecoderLayer(dim, heads, **shape) for _ in range(decoder_layers)]
        for layer in decoder:
            init_qk_identity(layer.multihead_attn)
        self.decoder = nn.ModuleList(decoder)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T * upsample, width) for inputs (B, rows, features) and ``valid`` (B, T).

        Raises UserError for clips of another length than ``clip_len``.
        """
        if valid.shape[1] != self.clip_len:
            raise UserError(
                f"model.clips: this network takes {self.clip_len} frames, found {valid.shape[1]}; "
                "clip_len and eval_len must be the same"
            )
        tokens, frames = [], []
        for name, embed in self.streams.items():
            step, count = self.step[name], inputs[name].shape[1]
            inside = valid_rows(valid, phase[name], step, count)  # (B, R)
            rows = torch.arange(count, device=valid.device)
            frame = ((rows - phase[name][:, None]) / step).clamp(0, self.clip_len - 1)  # (B, R)
            features = self.sets[name](inputs[name], inside) if name in self.sets else inputs[name]
            tokens.append(embed(features, inside, interpolate(self.time, frame)))
            frames.append((rows / step).clamp(max=self.clip_len - 1).repeat(self.extractors[name]))
        x = torch.cat(tokens, dim=1)  # (B, S, dim), S rows of all extractors
        x = self._encode(x, torch.cat(frames))
        out = self.queries.expand(len(x), -1, -1)
        for layer in self.decoder:
            out = layer(out, x)
        return out

    def _encode(self, x: Tensor, frames: Tensor) -> Tensor:
        """Return x (B, S, dim), encoded; ``frames`` (S,) is where in the clip a token lies."""
        for layer, count in zip(self.encoder, self.segments, strict=True):
            x = layer(x, src_mask=None if count == 1 else mask_between(frames, count, self.clip_len))
        return x


class ExtractorTokens(nn.Module):
    """Make tokens of every extractor's rows: (B, R, sum(groups)) -> (B, groups * R, dim), extractor by extractor."""

    def __init__(
        self, groups: Sequence[int], dim: int, hidden: int | None, dropout: float, token_dropout: float, normalise: bool
    ) -> None:
        super().__init__()
        self.groups, self.token_dropout = list(groups), token_dropout
        self.embed = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width) if normalise else nn.Identity(),
                *(Dropout(dropout), nn.Linear(width, hidden or width), nn.ReLU()),
                *(Dropout(dropout), nn.Linear(hidden or width, dim), nn.ReLU()),
            )
            for width in groups
        )
        for layer in self.embed.modules():
            if isinstance(layer, nn.Linear):  # so that features are not small beside the encodings
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        self.code = nn.Parameter(0.02 * torch.randn(len(self.groups), dim))
        self.dropped = nn.Parameter(torch.zeros(dim))

    def forward(self, rows: Tensor, inside: Tensor, time: Tensor) -> Tensor:
        """Return the tokens of ``rows``, of which those ``inside`` (B, R) count; ``time`` is their code (B, R, dim)."""
        if self.training:
            inside = inside & (torch.rand(inside.shape, device=inside.device) >= self.token_dropout)
        parts = zip(self.embed, torch.split(rows, self.groups, dim=-1), strict=True)
        tokens = torch.stack([embed(part) for embed, part in parts], dim=1)  # (B, groups, R, dim)
        tokens = torch.where(inside[:, None, :, None], tokens, self.dropped.to(tokens.dtype))
        return (tokens + time[:, None] + self.code[:, None]).flatten(1, 2)


@torch.no_grad()
def init_qk_identity(attention: nn.MultiheadAttention) -> None:
    """Initialise the projections of queries and keys with the identity, so that queries attend to their own time.

    Else attention is uniform at the start, all tokens are the same, and it takes long until that changes.
    """
    attention.in_proj_weight[: 2 * attention.embed_dim] = FOCUS**0.5 * torch.eye(attention.embed_dim).repeat(2, 1)


def interpolate(code: Tensor, frame: Tensor) -> Tensor:
    """Return the codes (B, R, dim) of times ``frame`` (B, R) between the rows of ``code`` (T, dim)."""
    weight = 1 - (frame[..., None] - torch.arange(len(code), device=frame.device)).abs()
    return weight.clamp(min=0).to(code.dtype) @ code


def mask_between(frames: Tensor, count: int, clip_len: int) -> Tensor:
    """Return which tokens do not attend to which others (S, S): those of different ones of ``count`` segments."""
    segment = (frames * count / clip_len).floor()
    return segment[:, None] != segment
