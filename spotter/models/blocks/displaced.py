"""One class per frame around every spot, and how far the frame lies from it: targets and head of T-DEED."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from spotter.models.blocks import losses
from spotter.models.blocks.dropout import Dropout
from spotter.models.blocks.frame import FrameHead, FrameTargets, log_odds
from spotter.types import Arrays, Batch, ClipFrames, Output, Spots


class DisplacedTargets(FrameTargets):
    """Add to the classes of frames their ``displacement`` (T,) float32: frames to the spot, 0 in the background."""

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        owner = self.owners(spots, frames)
        near = np.flatnonzero(owner >= 0)
        distance = np.zeros(frames.length, np.float32)
        position = (spots.time - frames.offset) * frames.fps - frames.start
        distance[near] = position[owner[near]] - near
        return {"classes": self.one_hot(owner, spots), "displacement": distance}


class DisplacedHead(FrameHead):
    """Classify every frame as ``FrameHead``, and say how far it lies from its spot, whatever the class.

    dilate, foreground_weight, dropout : as of ``FrameHead``
    displacement_weight : of the mean square error, over all frames, against the cross-entropy

    After Xarles et al., *T-DEED*, 2024, whose displacement has the other sign and is a whole number.
    """

    def __init__(
        self,
        width: int,
        classes: int,
        dilate: int | Sequence[int] = 4,
        foreground_weight: float = 5.0,
        displacement_weight: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(width, classes, dilate, foreground_weight, dropout)
        self.targets = DisplacedTargets(classes, dilate)
        self.displacement_weight = displacement_weight
        self.displacement = nn.Sequential(Dropout(dropout), nn.Linear(width, 1))

    def forward(self, tokens: Tensor) -> Output:
        """Return logits (B, T, 1 + K) and displacements (B, T), in frames."""
        displacement = self.displacement(tokens).squeeze(-1).float()
        return Output(logits=super().forward(tokens)["logits"], displacement=displacement)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` and its parts."""
        classes = super().loss(output, batch)["loss"]
        error = output["displacement"] - batch["targets"]["displacement"]
        displacement = losses.masked_mean(error**2, batch["valid"])
        total = classes + self.displacement_weight * displacement
        return {"loss": total, "classes": classes, "displacement": displacement}

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return ``logits`` (B, T, K), whose sigmoid is the class's part of the softmax, and ``displacement``."""
        logits = log_odds(output["logits"])
        return {"logits": logits, "displacement": output["displacement"][..., None].expand_as(logits)}
