"""A small temporal convolutional network: the baseline that every other system should beat."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks.dropout import Dropout
from spotter.models.blocks.stream_embedding import StreamEmbedding


class TemporalConvNet(Network):
    """Look at ever wider surroundings of a frame by a few dilated convolutions, each added to what it saw.

    dim : channels
    kernel : frames side by side that a convolution sees
    dilations : distance between them, a convolution each
    dropout : of what each convolution adds
    input_dropout : of the normalised features

    After van den Oord et al., *WaveNet*, 2016, without its gates and looking both ways.
    """

    def __init__(
        self,
        layout: Layout,
        upsample: int = 1,
        dim: int = 40,
        kernel: int = 5,
        dilations: Sequence[int] = (1, 2, 4, 8, 12),
        dropout: float = 0.0,
        input_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if kernel % 2 == 0 or not dilations:
            raise UserError(
                f"model.network: expected an odd kernel and a dilation, found kernel={kernel}, "
                f"dilations={list(dilations)}"
            )
        self.width, self.upsample = dim, upsample
        self.embed = StreamEmbedding(layout, dim, upsample, input_dropout, 0.0, 0.0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(dim, dim, kernel, padding=step * (kernel // 2), dilation=step) for step in dilations
        )
        self.dropout = Dropout(dropout)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T * upsample, width), zeros where not ``valid`` (B, T), for inputs (B, rows, features)."""
        inside = valid.repeat_interleave(self.upsample, dim=1)[:, None]  # (B, 1, A)
        x = F.relu(self.embed(inputs, phase, valid)).transpose(1, 2) * inside  # (B, dim, A)
        for convolution in self.convolutions:  # beyond the half is zero for each, as beyond the clip
            x = (x + self.dropout(F.relu(convolution(x)))) * inside
        return x.transpose(1, 2)
