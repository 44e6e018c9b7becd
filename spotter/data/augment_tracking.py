"""Change positions of players and ball in training, on their device, drawn from torch's generator of the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spotter.checks import check_not_negative, check_probability
from spotter.data.streams import POSITION
from spotter.errors import UserError


@dataclass(frozen=True, slots=True)
class EntityTransform:
    """Change rows of ``spotter.data.tracking``, each clip in its own way.

    flip_x, flip_y : probability of the pitch to be mirrored along it, and across it
    shift : standard deviation by which all positions move together, in halves of the pitch
    drop_entities : probability of an entity to be missing
    swap_teams : probability of home and away to change places; not for tasks that tell teams apart
    """

    flip_x: float = 0.0
    flip_y: float = 0.0
    shift: float = 0.0
    drop_entities: float = 0.0
    swap_teams: float = 0.0

    def __post_init__(self) -> None:
        for key in ("flip_x", "flip_y", "drop_entities", "swap_teams"):
            check_probability(f"data.augment.{key}", getattr(self, key))
        check_not_negative("data.augment.shift", self.shift)

    def __call__(self, rows: Tensor, entities: Mapping[str, int]) -> Tensor:
        """Return changed rows (B, R, columns)."""
        x = rows.reshape(*rows.shape[:2], sum(entities.values()), -1)  # (B, R, E, columns)
        clips, device, vectors = len(x), x.device, (x.shape[-1] - POSITION) // 2
        flips = torch.tensor([self.flip_x, self.flip_y], device=device)
        sign = 1 - 2 * (torch.rand(clips, 2, device=device) < flips).to(x.dtype)
        x = x * torch.cat((sign, torch.ones_like(sign[:, :1]), sign.repeat(1, vectors)), dim=1)[:, None, None]
        move = torch.zeros(clips, x.shape[-1], device=device, dtype=x.dtype)
        move[:, :2] = self.shift * torch.randn(clips, 2, device=device)
        x = x + move[:, None, None]
        x = x * (torch.rand(clips, 1, x.shape[2], 1, device=device) >= self.drop_entities)
        if self.swap_teams:
            chosen = torch.rand(clips, 1, 1, 1, device=device) < self.swap_teams
            x = torch.where(chosen, x[:, :, swapped_teams(entities)], x)
        return x.flatten(2)


def swapped_teams(entities: Mapping[str, int]) -> list[int]:
    """Return the order of entities in which home and away have changed places; raises UserError where they cannot."""
    if "home" not in entities or entities["home"] != entities.get("away"):
        raise UserError(f"data.augment.swap_teams: expected as many home as away, found {dict(entities)}; set it to 0")
    first, at = {}, 0
    for name, count in entities.items():
        first[name], at = at, at + count
    other = {"home": "away", "away": "home"}
    return [first[other.get(name, name)] + i for name, count in entities.items() for i in range(count)]
