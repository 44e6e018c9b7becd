"""STE: convolutions over a short window of features that are pooled over channels first.

After Darwish et al., STE and STE-v2, from facts about their code.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks import losses
from spotter.models.blocks.dropout import Dropout
from spotter.models.blocks.stream_embedding import StreamEmbedding
from spotter.models.blocks.window import WindowHead, WindowTargets, valid_windows, windows_of
from spotter.types import Arrays, Batch, ClipFrames, Output, Spots

HALVED = 2  # times that time is halved, by a pool after each of the two convolutions


class STE(Network):
    """Reduce every row to a few channels, then convolve windows of ``window`` rows to one vector each.

    pool : neighbouring columns of which the highest is taken
    hidden, dim : a row's width after each of the two projections
    channels : of the two convolutions in time, each followed by batch normalisation and a pool by two
    width : of the vector, made by a last convolution over what time remains
    normalise, dropout : of the rows, see ``StreamEmbedding``

    A clip of ``window`` frames is one window; in a longer one a window is centred on every frame, and every row is
    projected only once. How the original pads is not known.

    Raises ValueError for windows that are too short to be halved twice.
    """

    def __init__(
        self,
        layout: Layout,
        window: int,
        pool: int = 4,
        hidden: int = 512,
        dim: int = 128,
        channels: tuple[int, int] = (256, 512),
        width: int = 256,
        normalise: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if window < 2**HALVED:
            raise UserError(f"model.clips.clip_len: {window} frames are too few to be halved twice; take at least 4")
        self.window, self.pool, self.width = window, pool, width
        self.align = StreamEmbedding(
            layout, None, 1, dropout, extractor_dropout=0.0, token_dropout=0.0, normalise=normalise
        )
        self.project = nn.Sequential(nn.Linear(-(-self.align.width // pool), hidden), nn.ReLU(), nn.Linear(hidden, dim))
        if len(channels) != 2:
            raise UserError(f"model.network.channels: expected those of two convolutions, found {list(channels)}")
        first, second = channels
        self.convolve = nn.Sequential(
            *_half_rate(dim, first),
            *_half_rate(first, second),
            nn.Conv1d(second, width, window // 2**HALVED),
            nn.ReLU(),
        )

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, N, width) for N windows: N = 1 for clips of the window's length, else N = T."""
        rows = self.align(inputs, phase, valid)  # (B, T, columns)
        rows = self.project(F.max_pool1d(rows, self.pool, ceil_mode=True))  # (B, T, dim)
        windows = windows_of(rows, valid, self.window)  # (B, N, window, dim)
        return self.convolve(windows.flatten(0, 1).mT)[..., 0].reshape(*windows.shape[:2], self.width)


def _half_rate(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv1d(inputs, outputs, 3, padding=1), nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(2)]


class PositionTargets(WindowTargets):
    """Mark the classes that occur in a window, and the positions in it that hold a spot of any class.

    window : frames of the window, as in ``WindowTargets``

    Returns ``classes`` (N, 1 + K) and ``positions`` (N, window), both float32. The window is cut into as many equal
    parts as it has frames; those of an odd window are centred on its frames.
    """

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        row, spot, at = self.find_spots(spots, frames)
        positions = np.zeros((self.count(frames), self.window), np.float32)
        positions[row, np.minimum(at.astype(np.int64), self.window - 1)] = 1  # a sum may round up to the end
        return {"classes": self.mark_classes(row, spots.label[spot], frames), "positions": positions}


class PositionHead(WindowHead):
    """Classify windows as ``WindowHead`` does, and by a softmax at which position spots lie.

    window : frames of a window, which has as many positions
    position_weight : of the cross-entropy of positions, in windows with spots, in the loss

    After STE-v2; several spots of a window share its positions.
    """

    def __init__(
        self, width: int, classes: int, window: int, position_weight: float = 1.0, dropout: float = 0.0
    ) -> None:
        super().__init__(width, classes, window, dropout)
        self.targets = PositionTargets(classes, window)
        self.window, self.position_weight = window, position_weight
        self.positions = nn.Sequential(Dropout(dropout), nn.Linear(width, window))

    def forward(self, windows: Tensor) -> Output:
        """Return logits (B, N, 1 + K), and logits of the positions (B, N, window), for windows (B, N, width)."""
        return {**super().forward(windows), "positions": self.positions(windows).float()}

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` and its parts; windows centred outside the half do not count."""
        classes = super().loss(output, batch)["loss"]
        target = batch["targets"]["positions"]
        held = target.sum(-1, keepdim=True)  # (B, N, 1)
        valid = valid_windows(batch["valid"], target.shape[1]) & (held[..., 0] > 0)
        weight = torch.ones(self.window, device=target.device)
        position = losses.soft_cross_entropy(output["positions"], target / held.clamp(min=1e-6), weight, valid)
        return {"loss": classes + self.position_weight * position, "classes": classes, "position": position}

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return ``logits``, and ``displacement`` from a window's centre to its likeliest position, both (B, N, K)."""
        logits = output["logits"][..., 1:]
        position = output["positions"].argmax(-1, keepdim=True)  # (B, N, 1)
        displacement = position + 0.5 - self.window / 2
        return {"logits": logits, "displacement": displacement.expand_as(logits)}
