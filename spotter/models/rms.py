"""RMS-Net: one convolutional trunk for the class of a window and for where in it the spot lies.

After Tomei et al., *RMS-Net: Regression and Masking for Soccer Event Spotting*, 2021.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.base import Head, Network
from spotter.models.blocks import losses
from spotter.models.blocks.dropout import Dropout
from spotter.models.blocks.frame import log_odds
from spotter.models.blocks.stream_embedding import StreamEmbedding
from spotter.models.blocks.window import WindowTargets, valid_windows, windows_of
from spotter.types import Arrays, Batch, ClipFrames, Output, Spots


class RMSNet(Network):
    """Project every row, then convolve windows of ``window`` rows to one vector each.

    dim : of a projected row and of the convolutions in time
    layers : convolutions in time, each followed by a pool by two
    kernel : frames that a convolution sees
    width : of the vector, made of all that remains of a window, in its order, as the head tells where spots lie
    normalise, dropout : of the rows, see ``StreamEmbedding``

    A clip of ``window`` frames is one window; in a longer one a window is centred on every frame, and every row is
    projected only once. The shared trunk and its two outputs are known; its layers are chosen here.

    Raises ValueError for windows that are too short for the pools.
    """

    def __init__(
        self,
        layout: Layout,
        window: int,
        dim: int = 256,
        layers: int = 2,
        kernel: int = 5,
        width: int = 512,
        normalise: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if window.bit_length() <= layers:  # window < 2**layers, whatever a checkpoint says
            raise UserError(f"model.clips.clip_len: {window} frames are too few to be halved {layers} times")
        self.window, self.width = window, width
        self.embed = StreamEmbedding(
            layout, dim, 1, dropout, extractor_dropout=0.0, token_dropout=0.0, normalise=normalise
        )
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


class OffsetTargets(WindowTargets):
    """Give every window one class, background first, and where its spot lies: of several the one nearest its centre.

    window : frames of the window, as in ``WindowTargets``

    Returns ``classes`` (N, 1 + K) float32, one-hot, ``offset`` (N,) float32, where the spot lies in the window from 0
    to 1, 0 for background, and ``moment`` (1,) float32, for a clip that is one window the frame of the spot, counted
    from the clip's first; NaN for background and for longer clips.
    """

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        row, spot, at = self.find_spots(spots, frames)
        # Of several values written to one cell the last stays: the nearest.
        far_first = np.argsort(-np.abs(at - self.window / 2), kind="stable")
        row, spot, at = row[far_first], spot[far_first], at[far_first]
        count = self.count(frames)
        label, offset, moment = np.zeros(count, np.int64), np.zeros(count, np.float32), np.full(1, np.nan, np.float32)
        label[row] = 1 + spots.label[spot]
        offset[row] = at / self.window
        if count == 1 and len(spot):
            moment[0] = (spots.time[spot[-1]] - frames.offset) * frames.fps - frames.start
        return {"classes": np.eye(1 + self.classes, dtype=np.float32)[label], "offset": offset, "moment": moment}


class OffsetHead(Head):
    """Give every window one class, background or one of K, by a softmax, and by a sigmoid where its spot lies.

    window : frames of a window
    offset_weight : of the squared error of the offset, in windows with a spot, in the loss
    edge_cost : what a prediction loses, in logits, for a spot at the window's edge, and less for one further inside:
        a spot lies in the windows of many frames, and those centred near it locate it best

    The loss of the offset is from memory of the paper; ``edge_cost`` is ours.
    """

    def __init__(
        self,
        width: int,
        classes: int,
        window: int,
        offset_weight: float = 10.0,
        edge_cost: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.targets = OffsetTargets(classes, window)
        self.window, self.offset_weight, self.edge_cost = window, offset_weight, edge_cost
        self.dropout = Dropout(dropout)
        self.classes = nn.Linear(width, 1 + classes)
        self.offset = nn.Linear(width, 1)

    def forward(self, windows: Tensor) -> Output:
        """Return logits (B, N, 1 + K), and a displacement (B, N, 1), for windows (B, N, width).

        A displacement is that of the frame on which the window is centred, in frames.
        """
        windows = self.dropout(windows)
        offset = self.offset(windows).float().sigmoid()
        return Output(logits=self.classes(windows).float(), displacement=(offset - 0.5) * self.window)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` and its parts; windows centred outside the half do not count."""
        logits, target = output["logits"], batch["targets"]
        valid = valid_windows(batch["valid"], logits.shape[1])
        weight = torch.ones(logits.shape[-1], device=logits.device)
        classes = losses.soft_cross_entropy(logits, target["classes"], weight, valid)
        error = output["displacement"][..., 0] / self.window + 0.5 - target["offset"]  # (B, N)
        offset = losses.masked_mean(error**2, valid & (target["classes"][..., 0] == 0))
        return {"loss": classes + self.offset_weight * offset, "classes": classes, "offset": offset}

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return ``logits``, whose sigmoid is the class's part of the softmax, and ``displacement``, both (B, N, K)."""
        displacement = output["displacement"]
        logits = log_odds(output["logits"]) - self.edge_cost * displacement.abs() / (self.window / 2)
        return {"logits": logits, "displacement": displacement.expand_as(logits)}
