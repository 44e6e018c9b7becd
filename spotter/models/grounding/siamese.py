"""The baselines of replay grounding: the same network reads a clip and the replay, and both are compared.

After Zhou et al., *SoccerNet-v2 replay grounding*, the code of sn-grounding, 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.data.source import REPLAY, Layout, StreamLayout
from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks.stream_embedding import StreamEmbedding
from spotter.models.calf.network import Calf
from spotter.models.pooling import Vlad

Inputs = dict[str, Tensor]


def without_replay(layout: Layout) -> dict[str, StreamLayout]:
    """Return the streams of the match alone; raises UserError where the input has no replay."""
    match = {name: stream for name, stream in layout.items() if not name.startswith(REPLAY)}
    if len(match) == len(layout):
        raise UserError("model: this network looks for the action that a replay shows; take data=replays")
    return match


def of_replay(inputs: Inputs) -> Inputs:
    """Return the streams of the replay, or their phases, under the names of those of the match."""
    return {name.removeprefix(REPLAY): rows for name, rows in inputs.items() if name.startswith(REPLAY)}


class SiameseCalf(Network):
    """Put side by side what CALF's network makes of every frame of a clip and of the repeated replay.

    receptive_field : frames
    dim, narrow, input_dropout, normalise : see ``Calf``
    """

    def __init__(
        self,
        layout: Layout,
        receptive_field: int,
        dim: int = 128,
        narrow: int = 16,
        input_dropout: float = 0.0,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = Calf(without_replay(layout), receptive_field, dim, input_dropout, normalise, narrow)
        self.width = 2 * self.trunk.width

    def forward(self, inputs: Inputs, phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T, width): frame t of the clip beside frame t of the replay."""
        replay = of_replay(inputs)
        start = of_replay(phase)
        tokens = self.trunk(inputs, phase, valid), self.trunk(replay, start, torch.ones_like(valid))
        return torch.cat(tokens, dim=2)


class SiameseVlad(Network):
    """Describe a clip and the replay by NetVLAD; one token a clip: their likeness, and what tells the moment.

    clusters : of NetVLAD
    hidden : numbers that the description of the clip is narrowed to, by which its moment is found
    threshold : cosine from which two descriptions are alike

    Returns (B, 1, 1 + hidden).
    """

    def __init__(self, layout: Layout, clusters: int = 16, hidden: int = 128, threshold: float = 0.3) -> None:
        super().__init__()
        self.embed = StreamEmbedding(
            without_replay(layout), None, dropout=0.0, extractor_dropout=0.0, token_dropout=0.0, normalise=False
        )
        self.pool = Vlad(self.embed.width, clusters)
        self.narrow = nn.Linear(clusters * self.embed.width, hidden)
        self.threshold, self.width = threshold, 1 + hidden

    def forward(self, inputs: Inputs, phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, 1, width) for inputs (B, rows, features)."""
        replay = of_replay(inputs)
        start = of_replay(phase)
        clip = self._describe(self.embed(inputs, phase, valid) * valid[..., None])
        shown = self._describe(self.embed(replay, start, torch.ones_like(valid)))
        alike = (F.cosine_similarity(clip, shown) - self.threshold).clamp(min=0)
        return torch.cat((alike[:, None], self.narrow(clip)), dim=1)[:, None]

    def _describe(self, rows: Tensor) -> Tensor:
        described: Tensor = self.pool(rows, rows.shape[1])
        return described[:, 0]
