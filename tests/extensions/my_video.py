"""A dense network of video as a user would add it, in one file: a few convolutions, and two anchors per frame."""

from __future__ import annotations

from torch import Tensor, nn

from spotter.models.base import Network


class MyVideo(Network):
    """Convolve every image, then the clip, and make ``upsample`` tokens of every frame."""

    reads = "video"

    def __init__(self, width: int = 16, upsample: int = 2) -> None:
        super().__init__()
        self.width, self.upsample = width, upsample
        self.image = nn.Sequential(nn.Conv2d(3, width, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.time = nn.Conv1d(width, width * upsample, 5, padding=2)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T * upsample, width) for images (B, T, 3, H, W)."""
        video = inputs["video"]
        frames = self.image(video.flatten(0, 1)).view(*video.shape[:2], -1)  # (B, T, width)
        tokens = self.time(frames.mT).mT.relu()  # (B, T, width * upsample)
        return tokens.reshape(len(tokens), -1, self.width)
