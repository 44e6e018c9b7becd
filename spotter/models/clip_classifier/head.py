"""One class for a whole window, and where in it its spot lies: targets and head of the first of two stages."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from spotter.models.base import Head
from spotter.models.blocks import losses
from spotter.models.blocks.dropout import Dropout
from spotter.models.blocks.frame import log_odds
from spotter.models.blocks.window import WindowTargets, valid_windows
from spotter.types import Arrays, Batch, ClipFrames, Output, Spots, TargetMaker


class ClipTargets(WindowTargets):
    """Give every window one class, background first: that of the spot nearest to its middle, if it holds any.

    window : frames of the window, as in ``WindowTargets``

    Returns ``classes`` (N, 1 + K), one-hot, and ``time`` (N,), where in the window that spot lies, from 0 to 1, 0 for
    background; both float32.
    """

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        row, spot, at = self.find_spots(spots, frames)
        last_wins = np.argsort(-np.abs(at - self.window / 2), kind="stable")
        row, spot, at = row[last_wins], spot[last_wins], at[last_wins]
        label, time = np.zeros(self.count(frames), np.int64), np.zeros(self.count(frames), np.float32)
        label[row], time[row] = 1 + spots.label[spot], at / self.window
        return {"classes": np.eye(1 + self.classes, dtype=np.float32)[label], "time": time}


class ClipHead(Head):
    """Classify windows by a softmax over background and K classes; a sigmoid for each says where its spot lies.

    window : frames of a window
    time_weight : of the squared error of where the spot of the window's class lies, a fraction of the window, in the
        loss; background has none. 0 leaves it out, and anchors then stay in the middle of their windows
    dropout : of the tokens

    After the first stage of the open Baidu pipeline (Zhou et al., 2021, and its repository).
    """

    measures = ("clip_accuracy",)

    def __init__(self, width: int, classes: int, window: int, time_weight: float = 1.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.targets: TargetMaker = ClipTargets(classes, window)
        self.window, self.time_weight, self.dropout = window, time_weight, Dropout(dropout)
        self.classes = nn.Linear(width, 1 + classes)
        self.time = nn.Linear(width, 1 + classes) if time_weight else None  # one too many, as published
        for layer in (self.classes, self.time):
            if layer is not None:
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, windows: Tensor) -> Output:
        """Return ``logits`` and, where it is learned, the logit of ``time``, (B, N, 1 + K), for (B, N, width)."""
        windows = self.dropout(windows)
        output = Output(logits=self.classes(windows).float())
        return output if self.time is None else {**output, "time": self.time(windows).float()}

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss``, its parts, and ``clip_accuracy``, the fraction of windows whose class is the highest."""
        logits, target = output["logits"], batch["targets"]["classes"]
        valid = valid_windows(batch["valid"], logits.shape[1])
        classes = losses.soft_cross_entropy(logits, target, torch.ones_like(logits[0, 0]), valid)
        right = (logits.argmax(-1) == target.argmax(-1)).float()
        accuracy = losses.masked_mean(right, valid)
        if "time" not in output:
            return {"loss": classes, "clip_accuracy": accuracy}
        error = (output["time"].sigmoid() - batch["targets"]["time"][..., None]) ** 2
        time = losses.masked_mean((error * target)[..., 1:].sum(-1), valid & (target[..., 0] == 0))
        return {
            "loss": classes + self.time_weight * time, "classes": classes, "time": time, "clip_accuracy": accuracy
        }  # fmt: skip

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return ``logits`` whose sigmoid is the class's part of the softmax, and ``displacement``, (B, N, K)."""
        found = {"logits": log_odds(output["logits"])}
        if "time" in output:
            found["displacement"] = (output["time"][..., 1:].sigmoid() - 0.5) * self.window
        return found
