"""A transformer over features with a token per anchor."""

from __future__ import annotations

from torch import Tensor

from spotter.data.source import Layout
from spotter.models.base import Network
from spotter.models.blocks.stream_embedding import StreamEmbedding, encoder, positional_encoding


class Transformer(Network):
    """Encode a clip of features densely, one token per anchor.

    The transformer head of Zhou et al., *Feature Combination Meets Attention*, 2021, without its window: the clip is
    long, tokens are upsampled after the projection, and every one of them is an anchor as in Soares and Shah, 2022.
    """

    def __init__(
        self,
        layout: Layout,
        upsample: int = 1,
        dim: int = 256,
        layers: int = 4,
        heads: int = 8,
        feedforward: int = 1024,
        dropout: float = 0.1,
        input_dropout: float = 0.4,
        extractor_dropout: float = 0.1,
        token_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.width, self.upsample = dim, upsample
        self.embed = StreamEmbedding(layout, dim, upsample, input_dropout, extractor_dropout, token_dropout)
        self.encoder = encoder(dim, layers, heads, feedforward, dropout)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T * upsample, width) for inputs (B, rows, features) and ``valid`` (B, T)."""
        x = self.embed(inputs, phase, valid)  # (B, A, dim)
        x = x + positional_encoding(x.shape[1], x.shape[2], x.device)
        outside = ~valid.repeat_interleave(self.upsample, dim=1)  # (B, A)
        return self.encoder(x, src_key_padding_mask=outside)
