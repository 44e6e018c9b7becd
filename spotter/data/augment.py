"""Change training batches on their device, drawn from torch's generator of the step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spotter.batch import Batch, batch_size


def mixup(batch: Batch, soft_targets: Sequence[str], alpha: float, probability: float) -> tuple[Batch, Tensor]:
    """Mix clips of a batch with one another; returns the batch and which clips are mixed, (B,) bool.

    Inputs and ``soft_targets`` become convex combinations with a weight from Beta(alpha, alpha) per clip; a frame
    stays valid where it is in both. After Zhang et al., *mixup*, 2018, as used by Soares and Shah, 2022.
    """
    count = batch_size(batch)
    device = batch["valid"].device
    mixed = torch.rand(count, device=device) < probability
    weight = torch.distributions.Beta(alpha, alpha).sample((count,)).to(device)
    weight = torch.where(mixed, weight, torch.ones_like(weight))
    partner = torch.randperm(count, device=device)

    def blend(x: Tensor) -> Tensor:
        w = weight.to(x.dtype).view(-1, *[1] * (x.dim() - 1))
        return w * x + (1 - w) * x[partner]

    targets = {key: blend(x) if key in soft_targets else x for key, x in batch["targets"].items()}
    inputs = {name: blend(x) for name, x in batch["inputs"].items()}
    valid = batch["valid"] & (batch["valid"][partner] | ~mixed[:, None])
    return {**batch, "inputs": inputs, "targets": targets, "valid": valid}, mixed
