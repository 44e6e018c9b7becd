"""Joint training: several label sets, each with a head of its own, on the tokens of one network.

After the training of T-DEED on two label sets (Xarles et al., 2024), except for its displacement, which both shared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from spotter.models.system import System
from spotter.types import OWN, Batch, Output, batch_size


def forward_jointly(systems: Mapping[str, System], batches: Mapping[str, Batch]) -> dict[str, Output]:
    """Return the output of each label set's head for its batch, prepared; the network sees all clips at once.

    systems : of the label sets, with one network
    """
    each = list(batches.values())
    inputs, phase = (_joined([batch[key] for batch in each]) for key in ("inputs", "phase"))
    network = systems[OWN].network
    tokens: Tensor = network(inputs, phase, torch.cat([batch["valid"] for batch in each]))
    of_clips = 0 if network.width else 1  # class scores have their stages first
    parts = torch.split(tokens, [batch_size(batch) for batch in each], of_clips)
    return {name: systems[name].score(part) for name, part in zip(batches, parts, strict=True)}


def joint_losses(
    systems: Mapping[str, System],
    outputs: Mapping[str, Output],
    batches: Mapping[str, Batch],
    weights: Mapping[str, float],
) -> dict[str, Tensor]:
    """Return the ``loss``, to which each label set adds by its weight and its share of the clips, and those of each."""
    total = sum(batch_size(batch) for batch in batches.values())
    losses = {name: systems[name].head.loss(outputs[name], batch) for name, batch in batches.items()}
    parts = [losses[name]["loss"] * (weights[name] * batch_size(batch) / total) for name, batch in batches.items()]
    named = {f"{name or 'own'}/{key}": value for name, each in losses.items() for key, value in each.items()}
    return {"loss": torch.stack(parts).sum(), **named}


def _joined(tensors: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([each[name] for each in tensors]) for name in tensors[0]}
