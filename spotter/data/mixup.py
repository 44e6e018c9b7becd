"""Mix the clips of a training batch with one another, on their device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spotter.checks import check_above_zero, check_probability
from spotter.data.rows import rows_between
from spotter.types import Batch, Targets, batch_size


@dataclass(frozen=True, slots=True)
class Mixup:
    """Mix clips with one another, after Zhang et al., *mixup*, 2018, as used by Soares and Shah, 2022.

    alpha, beta : the weight of a clip, against its partner, is drawn from
        Beta(alpha, beta) for each clip; ``beta`` is ``alpha`` by default
    probability : of a clip to be mixed at all
    """

    alpha: float
    probability: float
    beta: float | None = None

    def __post_init__(self) -> None:
        for key, value in (("alpha", self.alpha), ("beta", self.beta if self.beta is not None else self.alpha)):
            check_above_zero(f"model.mixup.{key}", value)
        check_probability("model.mixup.probability", self.probability)

    def __call__(self, batch: Batch, mix: Callable[[Targets, Targets, Tensor], Targets], partners: bool) -> Batch:
        """Return the batch with inputs, and by ``mix`` targets, as convex combinations.

        mix : mixes targets with those of the mixup partners by the weights (B,) of the former
        partners : the second half of the batch is there to be mixed into the first; else partners are drawn within it
        A frame stays valid where it is in both.
        """
        device = batch["valid"].device
        count = batch_size(batch) // 2 if partners else batch_size(batch)
        mixed = torch.rand(count, device=device) < self.probability
        weight = send(torch.distributions.Beta(self.alpha, self.beta or self.alpha).sample((count,)), device)
        weight = torch.where(mixed, weight, torch.ones_like(weight))
        other = torch.arange(count, 2 * count, device=device) if partners else torch.randperm(count, device=device)
        first = slice(count)
        return Batch(
            inputs=blend_all(_take(batch["inputs"], first), _take_in_step(batch, other, first), weight),
            phase=_take(batch["phase"], first),
            valid=batch["valid"][first] & (batch["valid"][other] | ~mixed[:, None]),
            targets=mix(_take(batch["targets"], first), _take(batch["targets"], other), weight),
            half=batch["half"][first],  # which stays on the host, as does the start
            start=batch["start"][first],
        )


def send(draws: Tensor, device: torch.device) -> Tensor:
    """Return what was drawn on the CPU, so that it is the same everywhere, on a device; a GPU is not waited for."""
    return draws.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else draws.to(device)


def _take(tensors: Mapping[str, Tensor], chosen: slice | Tensor) -> dict[str, Tensor]:
    return {name: tensor[chosen] for name, tensor in tensors.items()}


def _take_in_step(batch: Batch, chosen: slice | Tensor, first: slice) -> dict[str, Tensor]:
    """Return the inputs of chosen clips; rows of other rates are moved to the phase of the ``first`` clips."""
    taken, frames = _take(batch["inputs"], chosen), batch["valid"].shape[1]
    for name, rows in taken.items():
        if rows.shape[1] != frames:  # else a row for each frame: phases are 0
            later = batch["phase"][name][chosen] - batch["phase"][name][first]
            taken[name] = rows_between(rows, later[:, None] + torch.arange(rows.shape[1], device=rows.device))
    return taken


def blend(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Return ``weight`` (B,) of one tensor (B, …) and the rest of the other."""
    weight = weight.to(first.dtype).view(-1, *[1] * (first.dim() - 1))
    return (weight * first).add_((1 - weight) * second)


def blend_all(first: Mapping[str, Tensor], second: Mapping[str, Tensor], weight: Tensor) -> dict[str, Tensor]:
    """Blend every tensor with that of the same name, see ``blend``."""
    return {name: blend(value, second[name], weight) for name, value in first.items()}
