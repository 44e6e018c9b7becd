"""RMS-Net: one convolutional trunk for the class of a window and for the place of its spot."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from spotter.models.blocks.stream_embedding import Layout, StreamEmbedding
from spotter.models.blocks.windows import check_upsample, windows_of


class RMSNet(nn.Module):
    """Project every row, then convolve windows of ``window`` rows to one vector each.

    dim : of a projected row and of the convolutions in time
    layers : convolutions in time, each followed by a pool by two
    kernel : frames that a convolution sees
    width : of the vector, made of all that remains of a window, in its order: the head asks for places
    normalise, dropout : of the rows, see ``StreamEmbedding``

    A clip of ``window`` frames is one window; in a longer one a window is centred on every frame, and every row is
    projected only once. After Tomei et al., *RMS-Net: Regression and Masking for Soccer Event Spotting*, 2021, of which
    the shared trunk and what it is asked is known; its layers are chosen here.

    Raises ValueError for windows that are too short for the pools.
    """

    def __init__(
        self,
        layout: Layout,
        window: int,
        upsample: int = 1,
        dim: int = 256,
        layers: int = 2,
        kernel: int = 5,
        width: int = 512,
        normalise: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_upsample(upsample)
        if window < 2**layers:
            raise ValueError(f"model.clips.clip_len: {window} frames are too few to be halved {layers} times")
        self.window, self.width = window, width
        self.embed = StreamEmbedding(layout, dim, 1, dropout, group_drop=0.0, row_drop=0.0, normalise=normalise)
        convolutions = [
            nn.Sequential(nn.Conv1d(dim, dim, kernel, padding="same"), nn.ReLU(), nn.MaxPool1d(2))
            for _ in range(layers)
        ]
        self.trunk = nn.Sequential(
            *convolutions, nn.Flatten(), nn.Linear(dim * (window // 2**layers), width), nn.ReLU()
        )

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, N, width) for N windows: N = 1 for clips of the window's length, else N = T."""
        rows = F.relu(self.embed(inputs, phase, valid))  # (B, T, dim)
        windows = windows_of(rows, valid, self.window)  # (B, N, window, dim)
        return self.trunk(windows.flatten(0, 1).mT).reshape(*windows.shape[:2], self.width)
