"""STE: convolutions over a short window of features that are pooled over channels first."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from spotter.models.blocks.stream_embedding import Layout, StreamEmbedding
from spotter.models.blocks.windows import check_upsample, windows_of

HALVED = 2  # times that time is halved, by a pool after each of the two convolutions


class STE(nn.Module):
    """Reduce every row to a few channels, then convolve windows of ``window`` rows to one vector each.

    pool : neighbouring columns of which the highest is taken
    hidden, dim : a row's width after each of the two projections
    channels : of the two convolutions in time, each followed by batch normalisation and a pool by two
    width : of the vector, made by a last convolution over what time remains
    normalise, dropout : of the rows, see ``StreamEmbedding``

    A clip of ``window`` frames is one window; in a longer one a window is centred on every frame, and every row is
    projected only once. After Darwish et al., STE and STE-v2, from facts about their code; padding is not known.

    Raises ValueError for windows that are too short to be halved twice.
    """

    def __init__(
        self,
        layout: Layout,
        window: int,
        upsample: int = 1,
        pool: int = 4,
        hidden: int = 512,
        dim: int = 128,
        channels: tuple[int, int] = (256, 512),
        width: int = 256,
        normalise: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_upsample(upsample)
        if window < 2**HALVED:
            raise ValueError(f"model.clips.clip_len: {window} frames are too few to be halved twice; take at least 4")
        self.window, self.pool, self.width = window, pool, width
        self.align = StreamEmbedding(layout, None, 1, dropout, group_drop=0.0, row_drop=0.0, normalise=normalise)
        self.project = nn.Sequential(nn.Linear(-(-self.align.width // pool), hidden), nn.ReLU(), nn.Linear(hidden, dim))
        if len(channels) != 2:
            raise ValueError(f"model.network.channels: expected those of two convolutions, found {list(channels)}")
        first, second = channels
        self.convolve = nn.Sequential(
            *_halving(dim, first),
            *_halving(first, second),
            nn.Conv1d(second, width, window // 2**HALVED),
            nn.ReLU(),
        )

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, N, width) for N windows: N = 1 for clips of the window's length, else N = T."""
        rows = self.align(inputs, phase, valid)  # (B, T, columns)
        rows = self.project(F.max_pool1d(rows, self.pool, ceil_mode=True))  # (B, T, dim)
        windows = windows_of(rows, valid, self.window)  # (B, N, window, dim)
        return self.convolve(windows.flatten(0, 1).mT)[..., 0].reshape(*windows.shape[:2], self.width)


def _halving(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv1d(inputs, outputs, 3, padding=1), nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(2)]
