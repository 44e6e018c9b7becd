"""Heads of windows that also say where in a window its spot lies. All networks of windows share them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spotter.models.blocks import losses
from spotter.models.blocks.heads import WindowHead, log_odds
from spotter.models.blocks.windows import valid_windows
from spotter.types import Batch, Output


class OffsetHead(nn.Module):
    """Give every window one class, background or one of K, by a softmax, and the place of its spot by a sigmoid.

    window : frames of a window
    offset_weight : of the squared error of the place, which is asked for where there is a spot, in the loss
    edge_cost : what a prediction loses, in logits, for a spot at the window's edge, and less for one further inside:
        a spot lies in the windows of many frames, and those centred near it place it best

    After RMS-Net (Tomei et al., 2021), whose loss of the place is from memory of the paper; ``edge_cost`` is ours.
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
        self.window, self.offset_weight, self.edge_cost = window, offset_weight, edge_cost
        self.dropout = nn.Dropout(dropout)
        self.classes = nn.Linear(width, 1 + classes)
        self.offset = nn.Linear(width, 1)

    def forward(self, windows: Tensor) -> Output:
        """Return logits (B, N, 1 + K), and the place as a displacement (B, N, 1), for windows (B, N, width).

        A displacement is that of the frame on which the window is centred, in frames.
        """
        windows = self.dropout(windows)
        place = self.offset(windows).float().sigmoid()
        return Output(logits=self.classes(windows).float(), displacement=(place - 0.5) * self.window)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` and its parts; windows centred outside the half do not count."""
        logits, target = output["logits"], batch["targets"]
        valid = valid_windows(batch["valid"], logits.shape[1])
        weight = torch.ones(logits.shape[-1], device=logits.device)
        classes = losses.soft_cross_entropy(logits, target["classes"], weight, valid)
        error = output["displacement"][..., 0] / self.window + 0.5 - target["offset"]  # (B, N)
        offset = losses.masked_mean(error**2, valid & (target["classes"][..., 0] == 0))
        return {"loss": classes + self.offset_weight * offset, "classes": classes, "offset": offset}

    def predict(self, output: Output) -> tuple[Tensor, Tensor]:
        """Return logits, whose sigmoid is the class's share of the softmax, and displacement, both (B, N, K)."""
        displacement = output["displacement"]
        logits = log_odds(output["logits"]) - self.edge_cost * displacement.abs() / (self.window / 2)
        return logits, displacement.expand_as(logits)


class PositionHead(WindowHead):
    """Say which classes occur in a window, as ``WindowHead`` does, and by a softmax at which position spots lie.

    window : frames of a window, which has as many positions
    position_weight : of the cross-entropy of positions, which are asked for where there are spots, in the loss

    After STE-v2 (Darwish et al.); several spots of a window share its positions.
    """

    def __init__(
        self, width: int, classes: int, window: int, position_weight: float = 1.0, dropout: float = 0.0
    ) -> None:
        super().__init__(width, classes, dropout)
        self.window, self.position_weight = window, position_weight
        self.positions = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, window))

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

    def predict(self, output: Output) -> tuple[Tensor, Tensor]:
        """Return logits, and the displacement from the window's centre to its likeliest position, both (B, N, K)."""
        logits = output["logits"][..., 1:]
        position = output["positions"].argmax(-1, keepdim=True)  # (B, N, 1)
        displacement = position + 0.5 - self.window / 2
        return logits, displacement.expand_as(logits)
