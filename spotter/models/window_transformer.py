"""The transformer of the 2021 challenge winner: a short window in, the classes that occur in it out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spotter.checks import check_choice
from spotter.data.source import Layout
from spotter.models.base import Network
from spotter.models.blocks.stream_embedding import StreamEmbedding, encoder, positional_encoding
from spotter.models.blocks.window import windows_of

POOLS = ("flatten", "mean", "max", "cls", "center")


class WindowTransformer(Network):
    """Encode windows of ``window`` frames and pool each to one vector.

    A clip of ``window`` frames is one window. In a longer clip a window is centred on every frame, its edges repeated
    beyond the ends of the half: stride-1 inference, with every row projected only once.

    After Zhou et al., *Feature Combination Meets Attention: Baidu Soccer Embeddings and Transformer Based Temporal
    Detection*, 2021. What the report leaves open (width, pooling) is chosen here and can be changed.
    """

    def __init__(
        self,
        layout: Layout,
        window: int,
        dim: int = 64,
        layers: int = 3,
        heads: int = 4,
        feedforward: int = 256,
        dropout: float = 0.1,
        input_dropout: float = 0.4,
        pool: str = "flatten",
    ) -> None:
        super().__init__()
        check_choice("model.network.pool", pool, POOLS)
        self.window, self.pool = window, pool
        self.width = dim * window if pool == "flatten" else dim
        self.embed = StreamEmbedding(layout, dim, 1, input_dropout, extractor_dropout=0.0, token_dropout=0.0)
        self.encoder = encoder(dim, layers, heads, feedforward, dropout)
        self.cls = nn.Parameter(torch.zeros(dim)) if pool == "cls" else None

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, N, width) for N windows: N = 1 for clips of the window's length, else N = T."""
        rows = self.embed(inputs, phase, valid)  # (B, T, dim)
        windows = windows_of(rows, valid, self.window)  # (B, N, window, dim)
        x = windows.flatten(0, 1) + positional_encoding(self.window, rows.shape[2], rows.device)
        if self.cls is not None:
            x = torch.cat((self.cls.expand(len(x), 1, -1), x), dim=1)
        return self._pool(self.encoder(x)).reshape(*windows.shape[:2], self.width)

    def _pool(self, x: Tensor) -> Tensor:
        if self.pool == "flatten":
            return x.flatten(1)
        if self.pool == "mean":
            return x.mean(1)
        if self.pool == "max":
            return x.amax(1)
        return x[:, 0] if self.pool == "cls" else x[:, x.shape[1] // 2]
