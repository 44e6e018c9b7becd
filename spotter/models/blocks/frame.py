"""One class per frame, background or one of K: targets and head of E2E-Spot (Hong et al., 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spotter.data.mixup import blend_all
from spotter.errors import UserError
from spotter.models.base import Head
from spotter.models.blocks import losses
from spotter.models.blocks.dropout import Dropout
from spotter.types import Arrays, Batch, ClipFrames, Output, Spots, Targets


class FrameTargets:
    """Give every frame one class, background first; a spot takes the frames around its nearest, later spots win.

    dilate : frames before and after the nearest that a spot takes, too; one number, or one for each class

    Returns ``classes`` (T, 1 + K) float32, one-hot. After Hong et al., *Spotting Temporally Precise Events*, 2022.
    """

    def __init__(self, classes: int, dilate: int | Sequence[int] = 0) -> None:
        each = list(dilate) if isinstance(dilate, Sequence) else [dilate] * classes
        if len(each) != classes or any(not isinstance(frames, int) or frames < 0 for frames in each):
            raise UserError(
                f"model.head.dilate: expected a whole number of at least 0, or {classes} of them, found {dilate!r}"
            )
        self.classes, self.dilate = classes, np.array(each, np.int64)

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        return {"classes": self.one_hot(self.owners(spots, frames), spots)}

    def owners(self, spots: Spots, frames: ClipFrames) -> NDArray[np.int64]:
        """Return the spot that each frame belongs to (T,), -1 for the background."""
        order = np.argsort(spots.time, kind="stable")
        # To the nearest frame; the original rounds down, by which every spot comes half a frame early on average.
        frame = np.floor((spots.time[order] - frames.offset) * frames.fps + 0.5).astype(np.int64) - frames.start
        dilate = self.dilate[spots.label[order]]
        owner = np.full(frames.length, -1, np.int64)
        seen = (frame >= -dilate) & (frame < frames.length + dilate)
        for at, around, spot in zip(frame[seen], dilate[seen], order[seen], strict=True):
            owner[max(0, at - around) : at + around + 1] = spot
        return owner

    def one_hot(self, owner: NDArray[np.int64], spots: Spots) -> NDArray[np.float32]:
        """Return the class of each frame (T, 1 + K), background first."""
        label = np.append(1 + spots.label, 0)[owner]  # -1 is the last
        return np.eye(1 + self.classes, dtype=np.float32)[label]

    def class_prior(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return the expected fraction of frames of each class."""
        return counts * (2 * self.dilate + 1) / frames


class FrameHead(Head):
    """Classify every frame by a softmax over background and K classes.

    width : of the tokens; 0 if the network ends in class scores (stages, B, T, 1 + K), all of which are trained
    dilate : frames around a spot that carry its class, see ``FrameTargets``
    foreground_weight : of every class against the background in the loss
    dropout : of the tokens; the original has none where it has no temporal head
    mean_of_stages : average the losses of stages, where there are such, in place of their sum

    Mixed clips make targets distributions over classes, and torch has two weighted means: for distributions it divides
    by the number of frames, for class numbers by the sum of their weights, which makes up to ``foreground_weight`` of
    difference. Here it is the first for all, so that losses of training and validation can be compared.
    """

    mixes = True
    scores_anchors = True
    weight: Tensor

    def __init__(
        self,
        width: int,
        classes: int,
        dilate: int | Sequence[int] = 0,
        foreground_weight: float = 5.0,
        dropout: float = 0.5,
        mean_of_stages: bool = False,
    ) -> None:
        super().__init__()
        self.targets: FrameTargets = FrameTargets(classes, dilate)
        self.dropout, self.mean_of_stages = Dropout(dropout), mean_of_stages
        self.classes = nn.Linear(width, 1 + classes) if width else nn.Identity()
        weight = torch.full((1 + classes,), float(foreground_weight))
        weight[0] = 1.0
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, tokens: Tensor) -> Output:
        """Return logits (B, T, 1 + K), with a leading dimension for stages where the network has such."""
        if isinstance(self.classes, nn.Linear):
            tokens = self.classes(self.dropout(tokens))
        return Output(logits=tokens.float())

    def mix(self, targets: Targets, partners: Targets, weight: Tensor) -> Targets:
        """Return the targets of mixed clips."""
        return blend_all(targets, partners, weight)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss``, summed over stages or averaged."""
        stages = output["logits"] if output["logits"].dim() == 4 else output["logits"][None]
        target = batch["targets"]["classes"]
        each = [losses.soft_cross_entropy(logits, target, self.weight, batch["valid"]) for logits in stages]
        return {"loss": torch.stack(each).mean() if self.mean_of_stages else torch.stack(each).sum()}

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return ``logits`` (B, T, K) of the last stage, whose sigmoid is the class's part of the softmax."""
        return {"logits": log_odds(output["logits"] if output["logits"].dim() == 3 else output["logits"][-1])}


def log_odds(logits: Tensor) -> Tensor:
    """Return (…, K) logits whose sigmoid is the class's part of the softmax of (…, 1 + K), background first."""
    itself = torch.eye(logits.shape[-1], dtype=torch.bool, device=logits.device)[1:]  # (K, 1 + K)
    others = logits[..., None, :].masked_fill(itself, -math.inf).logsumexp(-1)  # (…, K), of all other classes
    return logits[..., 1:] - others
