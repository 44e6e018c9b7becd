"""Ours: every frame before a replay asks the replay how alike it is, and knows how long before it lies."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.data.source import Layout
from spotter.models.base import Network
from spotter.models.blocks.convolution import DilatedBlock
from spotter.models.blocks.stream_embedding import StreamEmbedding, encoder
from spotter.models.grounding.siamese import Inputs, of_replay, without_replay

BIN, BINS = 4.0, 64  # seconds of a step in time before the replay, and how many there are; the last: unknown


class ReplayQuery(Network):
    """Compare the frames of a clip with those of the replay, both seen through the same dilated convolutions.

    A frame takes what attention finds for it in the replay, the highest and the mean cosine to the replay's frames, and
    how many seconds are left until the replay, which is where the sequence ends. Clips that begin before their sequence
    may end before it does, too, and do not know.

    dim, dilations, kernel, layers, heads, feedforward, dropout, input_dropout : see ``Transformer``
    """

    def __init__(
        self,
        layout: Layout,
        dim: int = 64,
        dilations: Sequence[int] = (1, 2, 4),
        kernel: int = 5,
        layers: int = 1,
        heads: int = 4,
        feedforward: int = 128,
        dropout: float = 0.2,
        input_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        match = without_replay(layout)
        self.width, self.fps = dim, next(iter(match.values()))["clock_fps"]
        self.embed = StreamEmbedding(match, dim, 1, input_dropout, extractor_dropout=0.0, token_dropout=0.0)
        self.convolutions = nn.ModuleList(DilatedBlock(dim, kernel, step, dropout) for step in dilations)
        self.likeness = nn.Linear(dim, dim, bias=False)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.left = nn.Embedding(BINS, dim)
        self.join = nn.Linear(2, dim)
        self.encoder = encoder(dim, layers, heads, feedforward, dropout, 0.0)

    def forward(self, inputs: Inputs, phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T, width) for inputs (B, rows, features) and ``valid`` (B, T)."""
        replay = of_replay(inputs)
        shown = torch.stack([rows.abs().sum(2) > 0 for rows in replay.values()]).any(0)[:, : valid.shape[1]]
        shown = torch.cat((torch.ones_like(shown[:, :1]), shown[:, 1:]), dim=1)  # attention to nothing is no number
        frames, query = self._see(inputs, phase, valid), self._see(replay, of_replay(phase), shown)
        cosine = F.normalize(self.likeness(frames), dim=2) @ F.normalize(self.likeness(query), dim=2).mT  # (B, T, R)
        highest = cosine.masked_fill(~shown[:, None], -1).amax(2)
        mean = (cosine * shown[:, None]).sum(2) / shown.sum(1, keepdim=True)
        found, _ = self.attention(frames, query, query, key_padding_mask=~shown, need_weights=False)
        tokens = frames + found + self.join(torch.stack((highest, mean), dim=2)) + self.left(self._bin(valid))
        return self.encoder(tokens, src_key_padding_mask=~valid & valid.any(1, keepdim=True))

    def _see(self, inputs: Inputs, phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        tokens = self.embed(inputs, phase, valid)
        for block in self.convolutions:
            tokens = block(tokens, ~valid)
        return tokens

    def _bin(self, valid: Tensor) -> Tensor:
        """Return how long before the end of the sequence each frame lies, (B, T), in steps."""
        left = valid.flip(1).cumsum(1).flip(1) - 1
        step = (left / (self.fps * BIN)).long().clamp(0, BINS - 2)
        return torch.where(valid[:, :1], step, BINS - 1)
