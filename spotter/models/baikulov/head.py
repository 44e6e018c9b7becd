"""Which actions happen near the middle of a window: targets and head of Baikulov's network."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spotter.data.mixup import blend_all
from spotter.models.base import Head
from spotter.models.blocks import losses
from spotter.models.blocks.dropout import Dropout
from spotter.models.blocks.window import WindowTargets, valid_windows
from spotter.types import Arrays, Batch, ClipFrames, Output, Spots, TargetMaker, Targets


class MiddleTargets:
    """Mark the classes that occur within the middle of a window; several may.

    window : frames of the window: a clip of this length is one, a longer one holds a window around each of its frames
    middle : frames around the middle of a window that count

    Returns ``classes`` (N, K) float32.
    """

    def __init__(self, classes: int, window: int, middle: int) -> None:
        self.window, self._middle = window, WindowTargets(classes, middle)

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        if frames.length == self.window:
            before = (self.window - self._middle.window) // 2
            frames = dataclasses.replace(frames, start=frames.start + before, length=self._middle.window)
        return {"classes": self._middle(spots, frames)["classes"][:, 1:]}

    def class_prior(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return the expected fraction of windows that hold a spot, per class."""
        return self._middle.class_prior(counts, frames, fps)


class MiddleHead(Head):
    """Say of each class whether it occurs near the middle of a window, by a focal loss.

    window, middle : see ``MiddleTargets``
    focal_gamma : exponent of the focal term
    positive_weight : of positives against negatives in the loss, from 0 to 1; None weighs both by 1
    """

    mixes = True

    def __init__(
        self,
        width: int,
        classes: int,
        window: int,
        middle: int = 15,
        focal_gamma: float = 1.2,
        positive_weight: float | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.targets: TargetMaker = MiddleTargets(classes, window, middle)
        self.focal_gamma, self.positive_weight = focal_gamma, positive_weight
        self.classes = nn.Sequential(Dropout(dropout), nn.Linear(width, classes))

    def forward(self, windows: Tensor) -> Output:
        """Return logits (B, N, K) for windows (B, N, width)."""
        return Output(logits=self.classes(windows).float())

    def mix(self, targets: Targets, partners: Targets, weight: Tensor) -> Targets:
        """Return the targets of mixed clips."""
        return blend_all(targets, partners, weight)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss``; windows centred outside the half do not count."""
        logits, one = output["logits"], torch.ones_like(output["logits"][0, 0])
        positive, negative = one, one
        if self.positive_weight is not None:
            positive, negative = self.positive_weight * one, (1 - self.positive_weight) * one
        valid = valid_windows(batch["valid"], logits.shape[1])[..., None]
        target = batch["targets"]["classes"]
        return {"loss": losses.balanced_bce(logits, target, positive, negative, valid, self.focal_gamma)}

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return the ``logits`` (B, N, K); windows have no displacement."""
        return {"logits": output["logits"]}
