"""T-DEED's own decoding of a clip: every frame's probabilities move to where it says its spot is."""

from __future__ import annotations

import torch
from torch import Tensor


def move_probabilities(probabilities: Tensor, displacement: Tensor) -> Tensor:
    """Return (B, T, C) with the highest of all that moved to a frame, within the clip; 0 where nothing did.

    probabilities : (B, T, C), background included
    displacement : (B, T), frames from a spot to its anchor
    """
    frames = torch.arange(displacement.shape[1], device=displacement.device)
    target = (frames - displacement.round().long()).clamp(0, len(frames) - 1)
    index = target[..., None].expand_as(probabilities)
    return torch.zeros_like(probabilities).scatter_reduce(1, index, probabilities, "amax")
