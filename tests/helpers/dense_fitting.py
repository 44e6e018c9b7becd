"""Four clips that a dense network should learn by heart, and streams of several rates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spotter.models.blocks.dense import DenseHead, DenseTargets
from spotter.types import Batch, ClipFrames, Spots
from tests.helpers.networks import both, clips

STREAMS: dict[str, dict[str, Any]] = {
    "a": {"fps": 1.0, "clock_fps": 1.0, "groups": [4, 3]},
    "audio": {"fps": 1 / 0.96, "clock_fps": 1.0, "groups": [5]},
    "fast": {"fps": 2.0, "clock_fps": 1.0, "groups": [2, 2]},
}
AT, OF = [3, 9, 5, 7], [0, 1, 2, 0]  # frame and class of the one spot of each clip


def several(count: int, frames: int, lengths: list[tuple[int, int]] | None = None) -> Batch:
    """Return clips of all STREAMS, whose phases differ from clip to clip; zero outside the half."""
    batch = clips(count, frames, lengths)
    for name in ("audio", "fast"):
        rate = STREAMS[name]["fps"]
        rows = math.ceil(frames * rate) + 2
        frame = (torch.arange(rows) / rate).floor().long().clamp(max=frames - 1)
        values = torch.randn(count, rows, sum(STREAMS[name]["groups"]))
        batch["inputs"][name] = values * batch["valid"][:, frame, None]
        batch["phase"][name] = torch.arange(count) / (count + 1)
    return batch


def run(net: nn.Module, batch: Batch) -> Tensor:
    """Return the tokens of a batch."""
    tokens: Tensor = net(batch["inputs"], batch["phase"], batch["valid"])
    return tokens


def fit(net: nn.Module, head: DenseHead, upsample: int, steps: int, lr: float) -> tuple[float, Tensor, Tensor]:
    """Train on four clips of 12 frames; returns the confidence loss, the confidences and the displacements."""
    targets = DenseTargets(3, radius=0.5, displacement_radius=2.0, upsample=upsample)
    made = [
        targets(Spots(np.array([label]), np.array([at + 0.1]), np.array([True])), ClipFrames(0, 12, 1.0, 0.0))
        for at, label in zip(AT, OF, strict=True)
    ]
    batch = clips(4, 12)
    batch["targets"] = {key: torch.from_numpy(np.stack([each[key] for each in made])) for key in made[0]}
    parameters = [*net.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = head.loss(head(run(net, batch)), batch)
        loss["loss"].backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    with torch.no_grad():
        logits, displacement = both(head.predict(head.eval()(run(net.eval(), batch))))
    assert displacement is not None
    return float(loss["confidence"].detach()), logits.sigmoid(), displacement
