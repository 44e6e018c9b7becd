"""Tiny networks and batches for tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spotter.types import Batch

LAYOUT: dict[str, dict[str, Any]] = {"a": {"fps": 1.0, "clock_fps": 1.0, "groups": [4, 3]}}
TINY: dict[str, Any] = {"dim": 16, "layers": 1, "heads": 2, "feedforward": 32, "dropout": 0.0}


def clips(count: int, frames: int, lengths: list[tuple[int, int]] | None = None, seed: int = 0) -> Batch:
    """Return random clips; ``lengths`` gives the first and the last valid frame + 1 of each."""
    generator = torch.Generator().manual_seed(seed)
    frame = torch.arange(frames)
    valid = torch.stack([(frame >= low) & (frame < high) for low, high in lengths or [(0, frames)] * count])
    rows = torch.randn(count, frames, 7, generator=generator) * valid[..., None]
    return Batch(
        inputs={"a": rows},
        phase={"a": torch.zeros(count)},
        valid=valid,
        targets={},
        half=torch.zeros(count, dtype=torch.int64),
        start=torch.zeros(count, dtype=torch.int64),
    )


def both(outputs: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    """Return the logits and the displacement, if there is one, of what a head predicts."""
    assert set(outputs) <= {"logits", "displacement"}
    return outputs["logits"], outputs.get("displacement")
