"""Positions of players and ball to one token per row, whatever the order of the players."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spotter.data.source import Layout, StreamLayout
from spotter.data.streams import POSITION

WIDTH = 128  # of the tokens
HIDDEN = 32  # numbers for each entity
BALL = "ball"


class EntitySets(nn.Module):
    """Encode rows of ``spotter.data.tracking``: (B, R, columns) -> (B, R, width).

    Every entity goes through the same small network: where it is, how it moves, where it lies from the ball, and which
    group it belongs to. Of each group the mean and the maximum over the entities that are present are kept, so the
    order within a group does not matter (deep sets, Zaheer et al., 2017).
    """

    def __init__(self, stream: StreamLayout, width: int = WIDTH, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.entities, self.fps, self.width = dict(stream["entities"]), stream["fps"], width
        count = sum(self.entities.values())
        self.vectors = (sum(stream["groups"]) // count - POSITION) // 2
        group = torch.repeat_interleave(torch.arange(len(self.entities)), torch.tensor(list(self.entities.values())))
        self.register_buffer("group", group, persistent=False)
        self.embed = nn.Embedding(len(self.entities), hidden)
        self.first = nn.Linear(POSITION + 2 * self.vectors + 4 + 4, hidden)
        self.second = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.join = nn.Linear(2 * hidden * len(self.entities), width)

    def forward(self, rows: Tensor, inside: Tensor) -> Tensor:
        """Return tokens; rows that are not ``inside`` the half (B, R) say nothing about movement."""
        x = rows.reshape(*rows.shape[:2], sum(self.entities.values()), -1)  # (B, R, E, columns)
        position, present = x[..., :2], x[..., 2:POSITION]
        parts = [x, *movement(position, inside, self.fps), *self._relative(position, present)]
        code = self.first(torch.cat(parts, dim=-1)) + self.embed(self.group)
        code = self.second(code)  # (B, R, E, hidden)
        pooled = [
            pool_present(each, seen) for each, seen in zip(self._split(code), self._split(present > 0), strict=True)
        ]
        return self.join(torch.cat(pooled, dim=-1))

    def _relative(self, position: Tensor, present: Tensor) -> list[Tensor]:
        """Return where each entity lies from the ball, the logarithm of its distance, and whether the ball was seen."""
        if BALL not in self.entities:
            return [torch.zeros_like(x[..., :2]) for x in (position, position)]
        at = list(self.entities).index(BALL)
        first = sum(list(self.entities.values())[:at])
        way = position - position[..., first : first + 1, :]
        distance = torch.log(way.square().sum(-1, keepdim=True).sqrt() + 0.01)
        return [way, distance, present[..., first : first + 1, :].expand_as(present)]

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        return torch.split(x, list(self.entities.values()), dim=-2)


def embed_entities(layout: Layout) -> tuple[nn.ModuleDict, dict[str, StreamLayout]]:
    """Return what encodes each stream of positions, and the layout with the tokens in place of their columns."""
    sets = nn.ModuleDict({name: EntitySets(stream) for name, stream in layout.items() if stream.get("entities")})
    encoded: dict[str, StreamLayout] = {
        name: {**stream, "groups": [WIDTH]} if name in sets else stream for name, stream in layout.items()
    }
    return sets, encoded


def movement(position: Tensor, inside: Tensor, fps: float) -> list[Tensor]:
    """Return how entities come from the row before, and go to the next: each (B, R, E, 2), compressed to small numbers.

    A walk and a smash differ by a factor of a hundred, so half pitches per second are compressed by asinh(10 v). At the
    ends of the clip and of the half, where one of two rows is not ``inside`` (B, R), there is no movement.
    """
    step = (position[:, 1:] - position[:, :-1]) * (inside[:, 1:] & inside[:, :-1])[..., None, None]
    step = torch.asinh(10 * fps * step)
    none = torch.zeros_like(position[:, :1])
    return [torch.cat((none, step), dim=1), torch.cat((step, none), dim=1)]


def pool_present(code: Tensor, present: Tensor) -> Tensor:
    """Return mean and maximum of (B, R, E, hidden) over those present (B, R, E, 1): (B, R, 2 * hidden).

    A single entity stands for itself, present or not; without anybody both are 0.
    """
    if code.shape[-2] == 1:
        return torch.cat((code[..., 0, :], code[..., 0, :]), dim=-1)
    total = (code * present).sum(-2) / present.sum(-2).clamp(min=1)
    largest = code.masked_fill(~present, torch.finfo(code.dtype).min).amax(-2)
    return torch.cat((total, torch.where(present.any(-2), largest, 0.0)), dim=-1)
