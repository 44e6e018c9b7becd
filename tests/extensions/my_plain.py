"""A network as the README of version 0.1 shows it: a plain module with a width."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from spotter.models.blocks.stream_embedding import StreamEmbedding


class Plain(nn.Module):
    """Convolve the embedded rows."""

    def __init__(self, layout: Any, upsample: int = 1, dim: int = 128) -> None:
        super().__init__()
        self.width = dim
        self.embed = StreamEmbedding(layout, dim, upsample)
        self.mix = nn.Conv1d(dim, dim, 9, padding=4)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T * upsample, width)."""
        mixed: Tensor = self.mix(self.embed(inputs, phase, valid).mT).mT
        return mixed
