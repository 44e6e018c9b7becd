"""The heads of the baselines of replay grounding: a clip holds the action or not, and where."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spotter.errors import UserError
from spotter.models.base import Head
from spotter.models.calf.head import EMPTY, CalfHead
from spotter.models.calf.losses import context_aware, spotting
from spotter.models.calf.targets import ContextTargets
from spotter.types import Batch, Output

MARGINS = (-20.0, -10.0, 10.0, 20.0)  # seconds
CLIPPED = (0.001, 0.999)


class GroundingHead(CalfHead):
    """Find one action in a clip as CALF finds several: one slot, and a segmentation that is low around the action.

    clip_len : frames of every clip
    margins : four seconds, see ``context_aware``, which here treats both sides alike
    neutral, capsule, segmentation_weight, coordinate_weight, empty_weight : see ``CalfHead``
    """

    def __init__(
        self,
        width: int,
        classes: int,
        clip_len: int,
        margins: Sequence[float] = MARGINS,
        neutral: int = 0,
        capsule: int = 16,
        segmentation_weight: float = 0.002,
        coordinate_weight: float = 5.0,
        empty_weight: float = 0.5,
    ) -> None:
        if classes != 1:
            raise UserError("model.head: finds the action of a replay, whatever its class; take data=replays")
        weights = (segmentation_weight, coordinate_weight, empty_weight)
        super().__init__(width, classes, clip_len, [margins], 1, neutral, capsule, *weights)

    def segmentation_loss(self, segmentation: Tensor, shift: Tensor) -> Tensor:
        """Return the loss of every frame, (B, T, 1)."""
        return context_aware((1 - segmentation).clamp(*CLIPPED), shift, self.margins, symmetric=True)


class MomentHead(Head):
    """Take a clip's likeness to the replay as its confidence, and find the moment by the rest of its one token.

    clip_len : frames of every clip
    coordinate_weight, empty_weight : see ``spotting``
    """

    def __init__(
        self, width: int, classes: int, clip_len: int, coordinate_weight: float = 5.0, empty_weight: float = 0.5
    ) -> None:
        super().__init__()
        if classes != 1:
            raise UserError("model.head: finds the action of a replay, whatever its class; take data=replays")
        self.targets = ContextTargets(clip_len, [MARGINS], 1)
        self.clip_len, self.coordinate_weight, self.empty_weight = clip_len, coordinate_weight, empty_weight
        self.place = nn.Linear(width - 1, 1)

    def forward(self, tokens: Tensor) -> Output:
        """Return the slot of each clip (B, 1, 3) for tokens (B, 1, width); its confidence is a probability."""
        alike, rest = tokens[..., :1], tokens[..., 1:]
        return Output(slots=torch.cat((alike, self.place(rest).sigmoid(), torch.ones_like(alike)), dim=2))

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the mean ``loss`` over clips."""
        per_clip = spotting(output["slots"], batch["targets"]["slots"], self.coordinate_weight, self.empty_weight)
        return {"loss": (per_clip * batch["valid"].any(1)).mean()}

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return ``logits`` (B, T, 1): the clip's confidence at its moment, all others very low."""
        slots = output["slots"]
        frame = (slots[:, 0, 1] * (self.clip_len - 1)).round().long()
        logits = slots.new_full((len(frame), self.clip_len), EMPTY)
        confidence = slots[:, 0, 0].clamp(1e-8, 1 - 1e-6)
        return {"logits": logits.scatter(1, frame[:, None], confidence.logit()[:, None])[..., None]}
