"""The trunk of CALF: every frame narrowed, then convolved over four lengths of time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks.stream_embedding import StreamEmbedding

CHANNELS = {7: 1 / 4, 3: 1 / 2, 2: 1, 1: 2}  # times ``narrow``, of the convolution over the receptive field / key


class Calf(Network):
    """Concatenate narrowed frames with convolutions over a seventh, a third, a half and all of the receptive field.

    receptive_field : frames
    dim : of the frames before they are narrowed
    narrow : numbers that are left of a frame, a multiple of 4
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
        narrow: int = 32,
    ) -> None:
        super().__init__()
        if receptive_field < 1:
            raise UserError(f"model.network.receptive_field: expected at least 1 frame, found {receptive_field}")
        if narrow < 4 or narrow % 4:
            raise UserError(f"model.network.narrow: expected a multiple of 4, found {narrow}")
        self.width = narrow + sum(int(share * narrow) for share in CHANNELS.values())
        self.embed = StreamEmbedding(
            layout, dim, 1, input_dropout, extractor_dropout=0.0, token_dropout=0.0, normalise=normalise
        )
        self.narrow = nn.Sequential(nn.ReLU(), nn.Linear(dim, narrow), nn.ReLU())
        self.pyramid = temporal_pyramid(receptive_field, narrow)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T, width) for inputs (B, rows, features) and ``valid`` (B, T)."""
        frames = self.narrow(self.embed(inputs, phase, valid))
        # Beyond the ends of the half there is what the padding has beyond those of the clip: nothing.
        frames = (frames * valid[..., None]).transpose(1, 2)  # (B, narrow, T)
        convolved = [convolution(frames).relu() for convolution in self.pyramid]
        return torch.cat((frames, *convolved), dim=1).transpose(1, 2)


def temporal_pyramid(receptive_field: int, narrow: int) -> nn.ModuleList:
    """Return the convolutions over four lengths of time, each (B, narrow, T) to (B, channels, T)."""
    return nn.ModuleList(
        _centre_convolution(-(-receptive_field // part), narrow, int(share * narrow))
        for part, share in CHANNELS.items()
    )


def _centre_convolution(length: int, narrow: int, channels: int) -> nn.Sequential:
    """Return a convolution over ``length`` frames, as many of them before its centre as after, or one fewer."""
    padding = nn.ConstantPad1d(((length - 1) // 2, length // 2), 0.0)  # torch warns of even lengths with padding="same"
    return nn.Sequential(padding, nn.Conv1d(narrow, channels, length))
