"""Change training batches on their device, drawn from torch's generator of the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spotter.batch import Batch, Targets, batch_size, blend_all
from spotter.errors import UserError


@dataclass(frozen=True, slots=True)
class Mixup:
    """Mix clips with one another, after Zhang et al., *mixup*, 2018, as used by Soares and Shah, 2022.

    alpha, beta : a clip's own weight is drawn from Beta(alpha, beta), for each clip; ``beta`` is ``alpha`` by default
    probability : of a clip to be mixed at all
    """

    alpha: float
    probability: float
    beta: float | None = None

    def __post_init__(self) -> None:
        for key, value in (("alpha", self.alpha), ("beta", self.beta if self.beta is not None else self.alpha)):
            if not isinstance(value, int | float) or not value > 0:
                raise UserError(f"model.mixup.{key}: expected a number above 0, found {value!r}")
        _probability("model.mixup.probability", self.probability)

    def __call__(self, batch: Batch, mix: Callable[[Targets, Targets, Tensor], Targets], partners: bool) -> Batch:
        """Return the batch with inputs, and by ``mix`` targets, as convex combinations.

        mix : of targets, targets of their partners, and the weight (B,) of the former
        partners : the second half of the batch is there to be mixed into the first; else partners are drawn within it
        A frame stays valid where it is in both.
        """
        device = batch["valid"].device
        count = batch_size(batch) // 2 if partners else batch_size(batch)
        mixed = torch.rand(count, device=device) < self.probability
        weight = torch.distributions.Beta(self.alpha, self.beta or self.alpha).sample((count,)).to(device)
        weight = torch.where(mixed, weight, torch.ones_like(weight))
        other = torch.arange(count, 2 * count, device=device) if partners else torch.randperm(count, device=device)
        mine = _rows(batch, slice(count))
        theirs = _rows(batch, other)
        inputs = blend_all(mine["inputs"], theirs["inputs"], weight)
        valid = mine["valid"] & (theirs["valid"] | ~mixed[:, None])
        return {**mine, "inputs": inputs, "targets": mix(mine["targets"], theirs["targets"], weight), "valid": valid}


def _rows(batch: Batch, chosen: slice | Tensor) -> Batch:
    def rows(value: Any) -> Any:
        return {name: x[chosen] for name, x in value.items()} if isinstance(value, Mapping) else value[chosen]

    taken: Any = {key: rows(value) for key, value in batch.items()}
    return taken


@dataclass(frozen=True, slots=True)
class Rows:
    """Change clips of features in training.

    mask_before : share of clips that show nothing of what comes before their spot, as in RMS-Net (Tomei et al., 2021),
        from memory of the paper
    swap : probability of a row to change places with its neighbour, as in ASTRA (Xarles et al., 2023)
    """

    mask_before: float = 0.0
    swap: float = 0.0

    def __post_init__(self) -> None:
        _probability("model.augment.mask_before", self.mask_before)
        _probability("model.augment.swap", self.swap)

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch; masking needs targets with the ``moment`` of each clip, (B, 1), NaN for none."""
        if self.swap:
            batch = {**batch, "inputs": {name: swapped(x, self.swap) for name, x in batch["inputs"].items()}}
        if not self.mask_before:
            return batch
        if "moment" not in batch["targets"]:
            raise UserError("model.augment.mask_before: the targets of this model name no moment; set it to 0")
        valid = batch["valid"]
        chosen = torch.rand(len(valid), 1, device=valid.device) < self.mask_before
        frame = torch.arange(valid.shape[1], device=valid.device)
        hidden = chosen & (frame < batch["targets"]["moment"].floor())  # nothing is smaller than NaN
        return {**batch, "valid": valid & ~hidden}


def swapped(rows: Tensor, probability: float) -> Tensor:
    """Exchange neighbouring rows (B, R, width), each pair with a probability; which rows are pairs is drawn, too."""
    count = rows.shape[1]
    index = torch.arange(count, device=rows.device)
    odd = torch.randint(2, (len(rows), 1), device=rows.device)
    first = index - (index + odd) % 2  # (B, R), of the row's pair
    chosen = (torch.rand(rows.shape[:2], device=rows.device) < probability).gather(1, first.clamp(0))
    chosen = chosen & (first >= 0) & (first + 1 < count)
    return rows.gather(1, torch.where(chosen, 2 * first + 1 - index, index)[..., None].expand_as(rows))


def _probability(key: str, value: object) -> None:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UserError(f"{key}: expected a probability, found {value!r}")
