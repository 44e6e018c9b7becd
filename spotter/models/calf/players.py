"""CALF-calibration: CALF's network of the video, and beside it what tells where players stand on the pitch.

After Cioppa et al., *Camera Calibration and Player Localization in SoccerNet-v2*, 2021, and its code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spotter.checks import check_choice
from spotter.data.players import PLAYER, PLAYERS, VIEW, slots_of
from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.calf.network import Calf, temporal_pyramid
from spotter.models.calf.top_view import TopView

REPRESENTATIONS = ("image", "vector", "graph")


class CalfPlayers(Network):
    """Concatenate the tokens of the video and of the stream ``players``; without that stream the video has both shares.

    receptive_field : frames
    players : how they are shown: as an ``image`` of the pitch from above, as the ``vector`` that another network made
        of such an image, or as a ``graph``, which here is a set whose members attend to each other
    dim, narrow, input_dropout, normalise : see ``Calf``; of an input without players ``dim`` and ``narrow`` are doubled
    """

    def __init__(
        self,
        layout: Layout,
        receptive_field: int,
        players: str = "image",
        dim: int = 128,
        narrow: int = 32,
        input_dropout: float = 0.0,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        check_choice("model.network.players", players, REPRESENTATIONS)
        video = {name: stream for name, stream in layout.items() if name != PLAYERS}
        share = 2 if len(video) == len(layout) else 1
        if not video:
            raise UserError("model: CALF-calibration needs features of the video beside the players")
        self.video = Calf(video, receptive_field, share * dim, input_dropout, normalise, share * narrow)
        self.players: nn.Module | None = None
        self.width = self.video.width
        if share == 1:
            stream = layout[PLAYERS]
            if stream["fps"] != stream["clock_fps"]:
                raise UserError(f"data.streams.{PLAYERS}: needs the rate of the first stream, a row a frame")
            columns, width = sum(stream["groups"]), self.video.width
            if players == "vector":
                self.players = nn.Sequential(nn.Linear(columns, width), nn.ReLU())
            elif players == "image":
                self.players = TopViewBranch(columns, receptive_field, narrow)
            else:
                self.players = SetBranch(columns, width)
            self.width = 2 * width

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T, width) for inputs (B, rows, features) and ``valid`` (B, T)."""
        tokens = self.video(inputs, phase, valid)
        if self.players is None:
            return tokens
        return torch.cat((tokens, self.players(inputs[PLAYERS])[:, : valid.shape[1]]), dim=2)


class TopViewBranch(nn.Module):
    """Look at the pitch from above with convolutions, then along time: rows (B, T, columns) to (B, T, width)."""

    def __init__(self, columns: int, receptive_field: int, narrow: int) -> None:
        super().__init__()
        self.draw = TopView(slots_of(columns))
        self.look = nn.Sequential(
            nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(4), nn.Conv2d(16, narrow, 5), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.pyramid = temporal_pyramid(receptive_field, narrow)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the tokens of rows as ``spotter.data.players`` has them."""
        return self.see(self.draw(rows))

    def see(self, images: Tensor) -> Tensor:
        """Return the tokens of images (B, T, 3, 32, 64) from -1 to 1."""
        count, frames = images.shape[:2]
        places = self.look(images.flatten(0, 1)).flatten(2)  # (B * T, narrow, P)
        places = places.unflatten(0, (count, frames)).permute(0, 3, 2, 1)  # (B, P, narrow, T)
        flat = places.flatten(0, 1)
        parts = [flat, *(convolution(flat).relu() for convolution in self.pyramid)]
        pooled = [part.unflatten(0, (count, -1)).amax(1) for part in parts]
        return torch.cat(pooled, dim=1).transpose(1, 2)


class SetBranch(nn.Module):
    """Let the players of a frame attend to each other, and keep the maximum: (B, T, columns) to (B, T, width).

    In place of the 14 graph convolutions of the original, between players less than 25 m apart.
    """

    def __init__(self, columns: int, width: int, hidden: int = 32, layers: int = 1, heads: int = 4) -> None:
        super().__init__()
        self.slots = slots_of(columns)
        self.embed = nn.Linear(PLAYER - 1 + 2, hidden)  # and the centre of the view
        layer = nn.TransformerEncoderLayer(hidden, heads, 2 * hidden, 0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.join = nn.Sequential(nn.LayerNorm(hidden), nn.ReLU(), nn.Linear(hidden, width))

    def forward(self, rows: Tensor) -> Tensor:
        """Return the tokens; a frame without players has one that says nothing."""
        count, frames, _ = rows.shape
        flat = rows.flatten(0, 1)
        view, players = flat[:, :VIEW], flat[:, VIEW:].view(len(flat), self.slots, PLAYER)
        present = players[..., 0] > 0
        centre = view[:, 1:].reshape(-1, 4, 2).mean(1, keepdim=True).expand(-1, self.slots, -1) / 50
        nodes = torch.cat((players[..., 1:3] / 50, players[..., 3:], centre), dim=2) * present[..., None]
        alone = ~present.any(1, keepdim=True)  # attention of nobody to nobody is no number
        hidden = self.encoder(self.embed(nodes), src_key_padding_mask=~(present | alone))
        hidden = hidden.masked_fill(~(present | alone)[..., None], torch.finfo(hidden.dtype).min).amax(1)
        return self.join(hidden).unflatten(0, (count, frames))
