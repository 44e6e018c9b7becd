"""Temporal heads: from features of single frames to tokens with the context of their clip."""

from __future__ import annotations

from torch import Tensor, nn

from spotter.checks import check_choice
from spotter.models.e2e_spot.asformer import ASFormer
from spotter.models.e2e_spot.mstcn import MSTCN

TEMPORAL = ("gru", "deeper_gru", "mstcn", "asformer", "none")


class Recurrent(nn.Module):
    """Read a clip both ways: (B, T, d) -> (B, T, width) with twice min(d, 768) numbers a frame."""

    def __init__(self, features: int, layers: int) -> None:
        super().__init__()
        self.width = 2 * min(features, 768)
        self.gru = nn.GRU(features, self.width // 2, layers, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens (B, T, width) for features (B, T, d)."""
        return self.gru(x)[0]


class SingleFrame(nn.Identity):
    """Leave features as they are, without context."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.width = features


def temporal(kind: str, features: int, classes: int) -> Recurrent | MSTCN | ASFormer | SingleFrame:
    """Return what ``kind`` names; its ``width`` is 0 where it ends in class scores (stages, B, T, 1 + K) of its own."""
    check_choice("model.network.temporal", kind, TEMPORAL)
    if kind in ("gru", "deeper_gru"):
        return Recurrent(features, layers=3 if kind == "deeper_gru" else 1)
    if kind == "mstcn":
        return MSTCN(features, classes)
    if kind == "asformer":
        return ASFormer(features, classes)
    return SingleFrame(features)
