"""The head of CALF: a segmentation by how near spots are, and a fixed number of slots for the spots of a clip."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spotter.errors import UserError
from spotter.models.base import Head
from spotter.models.calf.losses import context_aware, spotting
from spotter.models.calf.targets import ContextTargets
from spotter.types import Batch, Output

EMPTY = -20.0  # logit of an anchor that no slot points at
SHORTEST = 15  # frames, of which the pooling leaves one step


class CalfHead(Head):
    """Segment a clip by the length of capsules, and from these fill slots with confidence, time and class.

    clip_len : frames of every clip, in training and in evaluation
    margins : seconds K1 < K2 < 0 < K3 < K4, a row for each class, of either team, or one for all, see ``context_aware``
    slots : spots that a clip can hold
    neutral : frames at both ends of a clip that are not trained on, see ``ContextTargets``
    capsule : dimensions of a capsule
    segmentation_weight : of the segmentation against the slots in the loss
    coordinate_weight, empty_weight : see ``spotting``

    After Cioppa et al., *A Context-Aware Loss Function for Action Spotting in Soccer Videos*, 2020.
    """

    margins: Tensor

    def __init__(
        self,
        width: int,
        classes: int,
        clip_len: int,
        margins: Sequence[Sequence[float]],
        slots: int = 15,
        neutral: int = 0,
        capsule: int = 16,
        segmentation_weight: float = 0.000367,
        coordinate_weight: float = 5.0,
        empty_weight: float = 0.5,
    ) -> None:
        super().__init__()
        if clip_len < SHORTEST:
            raise UserError(f"model.clips.clip_len: CALF needs clips of at least {SHORTEST} frames, found {clip_len}")
        if slots < 1 or capsule < 1:
            raise UserError(f"model.head.slots, model.head.capsule: expected at least 1, found {slots}, {capsule}")
        if len(margins) != 1 and classes not in (len(margins), 2 * len(margins)):
            raise UserError(
                f"model.head.margins: {len(margins)} rows for the {classes} classes of the task; "
                "give each class its four seconds, or one row for all"
            )
        margins = [row for row in margins for _ in range(classes // len(margins))]  # teams of a class are neighbours
        self.targets = ContextTargets(clip_len, margins, slots, neutral)
        self.classes, self.clip_len, self.slots = classes, clip_len, slots
        self.segmentation_weight = segmentation_weight
        self.coordinate_weight, self.empty_weight = coordinate_weight, empty_weight
        self.capsules = nn.Conv1d(width, classes * capsule, 3, padding=1)
        self.norm = nn.BatchNorm1d(clip_len, eps=1e-3, momentum=0.01)  # every position of a clip has its own
        self.branch = nn.Sequential(
            nn.ReLU(),
            nn.MaxPool1d(3, 2),
            nn.Conv1d(classes * (capsule + 1), 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool1d(3, 2),
            nn.Conv1d(32, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool1d(3, 2),
            nn.Flatten(),
        )
        steps = clip_len
        for _ in range(3):
            steps = (steps - 1) // 2
        self.place = nn.Linear(16 * steps, slots * 2)
        self.label = nn.Linear(16 * steps, slots * classes) if classes > 1 else None  # of one class it is certain
        self.register_buffer("margins", torch.tensor(margins, dtype=torch.float32), persistent=False)

    def forward(self, tokens: Tensor) -> Output:
        """Return the segmentation (B, T, K) and the slots (B, S, 2 + K) for tokens (B, T, width)."""
        count, frames, _ = tokens.shape
        if frames != self.clip_len:
            raise UserError(
                f"model.clips: this network takes clips of {self.clip_len} frames, not of {frames}; "
                "clip_len and eval_len are one, and a trained network keeps them"
            )
        capsules = self.capsules(tokens.transpose(1, 2)).float()  # (B, K * capsule, T)
        scaled = self.norm(capsules.transpose(1, 2)).sigmoid().unflatten(2, (self.classes, -1))
        # The root mean square: of the norm, unlike of the root, the gradient at 0 is a number.
        segmentation = torch.linalg.vector_norm(2 * scaled - 1, dim=3) / scaled.shape[3] ** 0.5  # (B, T, K)
        summary = self.branch(torch.cat((capsules, 1 - segmentation.transpose(1, 2)), dim=1))
        confidence, time = self.place(summary).float().view(count, self.slots, 2).split(1, dim=2)
        label = torch.ones_like(confidence)
        if self.label is not None:
            label = self.label(summary).float().view(count, self.slots, self.classes).softmax(2)
        return Output(segmentation=segmentation, slots=torch.cat((confidence, time.sigmoid(), label), dim=2))

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` and its parts, means over clips; what lies outside the half does not count."""
        target, valid = batch["targets"], batch["valid"]
        per_frame = self.segmentation_loss(output["segmentation"], target["shift"])
        segmentation = (per_frame * valid[..., None]).sum((1, 2)).mean()
        frame = (target["slots"][..., 1] * (self.clip_len - 1)).long()  # (B, S)
        inside = valid.gather(1, frame)[..., None]
        slots = torch.cat((output["slots"][..., :1].sigmoid(), output["slots"][..., 1:]), dim=2)
        per_clip = spotting(slots, target["slots"] * inside, self.coordinate_weight, self.empty_weight)
        spots = (per_clip * valid.any(1)).mean()
        return {
            "loss": self.segmentation_weight * segmentation + spots,
            "segmentation": segmentation,
            "spotting": spots,
        }

    def segmentation_loss(self, segmentation: Tensor, shift: Tensor) -> Tensor:
        """Return the loss of every frame and class, (B, T, K)."""
        return context_aware(segmentation, shift, self.margins)

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return ``logits`` (B, T, K): each slot's at the frame nearest to its time, in its likeliest class.

        All others are very low. The original rounds times down, so that spots come half a frame early on average.
        """
        slots = output["slots"]
        frame = (slots[..., 1] * (self.clip_len - 1)).round().long()  # (B, S)
        anchor = frame * self.classes + slots[..., 2:].argmax(2)
        logits = slots.new_full((len(frame), self.clip_len * self.classes), EMPTY)
        logits = logits.scatter_reduce(1, anchor, slots[..., 0], "amax")
        return {"logits": logits.view(len(frame), self.clip_len, self.classes)}
