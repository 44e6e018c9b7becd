"""A head as a user would add it, in one file: its targets, its loss, and how its output becomes scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.data.mixup import blend_all
from spotter.models.base import Head
from spotter.types import Arrays, Batch, ClipFrames, Output, Spots, Targets


class BumpTargets:
    """Make bumps (T, K): 1 at a spot of the class, falling to 0 within ``radius`` seconds."""

    def __init__(self, classes: int, radius: float) -> None:
        self.classes, self.radius = classes, radius

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        time = frames.offset + (frames.start + np.arange(frames.length)) / frames.fps
        near = np.maximum(0, 1 - np.abs(time - spots.time[:, None]) / self.radius)  # (N, T)
        bumps = np.zeros((self.classes, frames.length), np.float32)
        np.maximum.at(bumps, spots.label, near)
        return {"bump": bumps.T}

    def class_prior(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        return counts * (self.radius * fps) / frames


class BumpHead(Head):
    """Learn the bumps by cross-entropy."""

    mixes = True

    def __init__(self, width: int, classes: int, radius: float) -> None:
        super().__init__()
        self.targets = BumpTargets(classes, radius)
        self.linear = nn.Linear(width, classes)

    def forward(self, tokens: Tensor) -> Output:
        return {"logits": self.linear(tokens)}

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        every = F.binary_cross_entropy_with_logits(output["logits"], batch["targets"]["bump"], reduction="none")
        valid = batch["valid"]
        return {"loss": (every.mean(-1) * valid).sum() / valid.sum().clamp(min=1)}

    def predict(self, output: Output) -> dict[str, Tensor]:
        return {"logits": output["logits"]}

    def mix(self, targets: Targets, partners: Targets, weight: Tensor) -> Targets:
        return blend_all(targets, partners, weight)

    def set_class_prior(self, prior: Tensor) -> None:
        nn.init.zeros_(self.linear.weight)
        self.linear.bias.data = prior.clamp(1e-4, 0.5).logit()
