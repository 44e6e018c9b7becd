"""The trunk of CALF: every frame narrowed, then convolved over four lengths of time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spotter.data.source import Layout
from spotter.models.base import Network
from spotter.models.blocks.stream_embedding import StreamEmbedding

NARROW = 32
CHANNELS = {7: 8, 3: 16, 2: 32, 1: 64}  # of the convolution over the receptive field divided by the key


class Calf(Network):
    """Concatenate narrowed frames with convolutions over a seventh, a third, a half and all of the receptive field.

    receptive_field : frames
    dim : of the frames before they are narrowed to 32
    input_dropout : of the features
    normalise : bring every extractor to one scale first

    After Cioppa et al., *A Context-Aware Loss Function for Action Spotting in Soccer Videos*, 2020. The published
    features are one extractor's and go in as they are.
    """

    def __init__(
        self,
        layout: Layout,
        receptive_field: int,
        dim: int = 128,
        input_dropout: float = 0.0,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        if receptive_field < 1:
            raise ValueError(f"model.network.receptive_field: expected at least 1 frame, found {receptive_field}")
        self.width = NARROW + sum(CHANNELS.values())
        self.embed = StreamEmbedding(
            layout, dim, 1, input_dropout, extractor_dropout=0.0, token_dropout=0.0, normalise=normalise
        )
        self.narrow = nn.Sequential(nn.ReLU(), nn.Linear(dim, NARROW), nn.ReLU())
        self.pyramid = nn.ModuleList(
            _centre_convolution(-(-receptive_field // part), channels) for part, channels in CHANNELS.items()
        )

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T, width) for inputs (B, rows, features) and ``valid`` (B, T)."""
        frames = self.narrow(self.embed(inputs, phase, valid))
        # Beyond the ends of the half there is what the padding has beyond those of the clip: nothing.
        frames = (frames * valid[..., None]).transpose(1, 2)  # (B, 32, T)
        convolved = [convolution(frames).relu() for convolution in self.pyramid]
        return torch.cat((frames, *convolved), dim=1).transpose(1, 2)


def _centre_convolution(length: int, channels: int) -> nn.Sequential:
    """Return a convolution over ``length`` frames, as many of them before its centre as after, or one fewer."""
    padding = nn.ConstantPad1d(((length - 1) // 2, length // 2), 0.0)  # torch warns of even lengths with padding="same"
    return nn.Sequential(padding, nn.Conv1d(NARROW, channels, length))
