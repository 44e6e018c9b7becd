"""A network of windows as a user would add it, in one file: convolutions over every window."""

from __future__ import annotations

from torch import Tensor, nn

from spotter.models.base import Network
from spotter.models.blocks.stream_embedding import Layout, StreamEmbedding
from spotter.models.blocks.window import windows_of


class MyWindow(Network):
    """Convolve windows of rows, and take the highest of each channel."""

    def __init__(self, layout: Layout, window: int, dim: int = 16) -> None:
        super().__init__()
        self.window, self.width = window, dim
        self.embed = StreamEmbedding(layout, dim, dropout=0.0, extractor_dropout=0.0, token_dropout=0.0)
        self.convolution = nn.Conv1d(dim, dim, 3, padding=1)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, N, width) for the N windows of the clips."""
        windows = windows_of(self.embed(inputs, phase, valid), valid, self.window)  # (B, N, window, dim)
        convolved = self.convolution(windows.flatten(0, 1).mT).relu().amax(-1)
        return convolved.reshape(*windows.shape[:2], self.width)
