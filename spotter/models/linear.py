"""Single frames without context."""

from __future__ import annotations

from torch import Tensor

from spotter.data.source import Layout
from spotter.models.base import Network
from spotter.models.blocks.stream_embedding import StreamEmbedding


class PerFrame(Network):
    """Pass on normalised features; with a linear head this is logistic regression on single frames."""

    def __init__(self, layout: Layout, upsample: int = 1) -> None:
        super().__init__()
        self.embed = StreamEmbedding(layout, None, upsample, dropout=0.0, extractor_dropout=0.0, token_dropout=0.0)
        self.width, self.upsample = self.embed.width, upsample

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T * upsample, width) for inputs (B, rows, features) and ``valid`` (B, T)."""
        return self.embed(inputs, phase, valid)
