"""Which team acts, beside any head: a class for each action of each team, or a side for every class.

Shapes: B clips, T frames, A anchors, K actions. The two teams of a task are numbered 0 and 1.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.checks import check_choice
from spotter.errors import UserError
from spotter.models.base import Head, Network
from spotter.models.blocks.dense import nearest
from spotter.models.blocks.losses import masked_mean
from spotter.tasks import Task
from spotter.types import Arrays, Batch, ClipFrames, Output, Spots, TargetMaker, Targets

METHODS = ("joint", "head")
RADIUS = 0.5  # seconds around a spot in which its team is learned
WEIGHT = 1.0  # of the loss of the side head
UNKNOWN, MIRRORED, SIDE, SIDE_MASK = "team_unknown", "mirrored/", "side", "side_mask"


class JointTargets:
    """Make the targets of a head that has a class for each action of each team.

    targets : makes those of the head
    task : has teams

    Returns those, ``team_unknown`` (T,) bool where spots without a team would change them, and, where the image shows
    the teams on their sides, ``mirrored/…``: the targets of the mirrored clip.
    """

    def __init__(self, targets: TargetMaker, task: Task) -> None:
        self.targets, self.task = targets, task

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        team = self.task.team_of(spots.team, len(spots))
        known, sides = team >= 0, self.task.sides
        made = self.targets(_labelled(spots, spots.label * sides + team, known), frames)
        unknown = np.zeros(frames.length, bool)
        for side in range(sides) if not known.all() else ():
            either = self.targets(replace(spots, label=spots.label * sides + np.where(known, team, side)), frames)
            unknown |= _differ(made, either, frames.length)
        made = {**made, UNKNOWN: unknown}
        if not self.task.shows_sides:
            return made
        other = self.targets(_labelled(spots, spots.label * sides + 1 - team, known), frames)
        return {**made, **{f"{MIRRORED}{name}": values for name, values in other.items()}}

    def class_prior(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return the expected fraction of positive anchors per class, as if both teams acted equally often."""
        return self.targets.class_prior(counts.repeat(self.task.sides), frames, fps) / self.task.sides


class JointHead(Head):
    """Let a head of K * 2 classes tell the actions of two teams apart; labels without a team are left out of the loss.

    head : built for the ``columns`` of the task
    """

    def __init__(self, head: Head, task: Task) -> None:
        super().__init__()
        self.head = head
        self.mixes, self.measures = head.mixes, head.measures
        self.targets = JointTargets(head.targets, task)

    def set_class_prior(self, prior: Tensor) -> None:
        """Take the fraction of positive anchors per class (2K,) in the training split."""
        self.head.set_class_prior(prior)

    def forward(self, tokens: Tensor) -> Output:
        """Return what the head makes of tokens."""
        output: Output = self.head(tokens)
        return output

    def mirror(self, targets: Targets, mirrored: Tensor) -> Targets:
        """Return the targets of clips of which some were ``mirrored`` (B,)."""
        kept = {name: value for name, value in targets.items() if not name.startswith(MIRRORED)}
        for name, value in targets.items():
            if name.startswith(MIRRORED):
                plain = name.removeprefix(MIRRORED)
                kept[plain] = torch.where(mirrored.view(-1, *[1] * (value.dim() - 1)), value, targets[plain])
        return kept

    def mix(self, targets: Targets, partners: Targets, weight: Tensor) -> Targets:
        """Return the targets of mixed clips; a frame is left out where the team of either is unknown."""
        mixed = self.head.mix(_own(targets), _own(partners), weight)
        unknown = targets[UNKNOWN] | (partners[UNKNOWN] & (weight < 1)[:, None])
        return {**mixed, UNKNOWN: unknown}

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` of the head and its parts."""
        targets = batch["targets"]
        return self.head.loss(output, {**batch, "targets": _own(targets), "valid": batch["valid"] & ~targets[UNKNOWN]})

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return what the head predicts, (B, A, 2K): both teams of an action stand side by side."""
        return self.head.predict(output)


class SideTargets:
    """Make the targets of a head, and which team made the nearest spot of each class.

    upsample : anchors per frame

    Returns those of the head, ``side`` (A, K) float32, 1 for the second team, and ``side_mask`` (A, K) float32, 1
    within ``RADIUS`` of a spot whose team is known.
    """

    def __init__(self, targets: TargetMaker, task: Task, upsample: int) -> None:
        self.targets, self.task, self.upsample = targets, task, upsample

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        rate, count = frames.fps * self.upsample, len(self.task.classes)
        anchors = np.arange(frames.start * self.upsample, (frames.start + frames.length) * self.upsample)
        team = self.task.team_of(spots.team, len(spots))
        position = (spots.time - frames.offset) * rate
        near = (team >= 0) & (position >= anchors[0] - RADIUS * rate) & (position <= anchors[-1] + RADIUS * rate)
        label = spots.label[near] * 2 + team[near]
        distance = np.abs(nearest(position[near], label, anchors, 2 * count)).reshape(-1, count, 2)
        return {
            **self.targets(spots, frames),
            SIDE: (distance[..., 1] < distance[..., 0]).astype(np.float32),
            SIDE_MASK: (distance.min(axis=-1) <= RADIUS * rate).astype(np.float32),
        }

    def class_prior(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return what the head's own targets expect."""
        return self.targets.class_prior(counts, frames, fps)


class SideHead(Head):
    """Add to every class of a head a sigmoid for its team, trained only where a label names one.

    After the baseline of team ball action spotting 2025. The score of an action by a team is the product of both.

    head : built for the classes of the task; one that scores every anchor
    """

    def __init__(self, head: Head, task: Task, width: int, upsample: int) -> None:
        super().__init__()
        if not head.scores_anchors or not width:
            raise UserError(
                "model.teams: a side needs a head that scores every frame, and tokens; set model.teams=joint"
            )
        self.head = head
        self.mixes, self.measures = head.mixes, head.measures
        self.targets = SideTargets(head.targets, task, upsample)
        self.side = nn.Linear(width, len(task.classes))

    def set_class_prior(self, prior: Tensor) -> None:
        """Take the fraction of positive anchors per class (K,) in the training split."""
        self.head.set_class_prior(prior)

    def forward(self, tokens: Tensor) -> Output:
        """Return what the head makes of tokens (B, A, width), and ``side`` logits (B, A, K)."""
        output: Output = self.head(tokens)
        return {**output, "side": self.side(tokens).float()}

    def mirror(self, targets: Targets, mirrored: Tensor) -> Targets:
        """Return the targets of clips of which some were ``mirrored`` (B,): the other side acts in those."""
        side = targets[SIDE]
        return {**targets, SIDE: torch.where(mirrored.view(-1, 1, 1), 1 - side, side)}

    def mix(self, targets: Targets, partners: Targets, weight: Tensor) -> Targets:
        """Return the targets of mixed clips; each side counts by the weight of its clip."""
        first = weight.view(-1, 1, 1)
        mine, theirs = first * targets[SIDE_MASK], (1 - first) * partners[SIDE_MASK]
        side = (mine * targets[SIDE] + theirs * partners[SIDE]) / (mine + theirs).clamp(min=1e-6)
        mixed = self.head.mix(_own(targets), _own(partners), weight)
        return {**mixed, SIDE: side, SIDE_MASK: mine + theirs}

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` and its parts, ``side`` among them."""
        targets = batch["targets"]
        parts = self.head.loss(output, {**batch, "targets": _own(targets)})
        each = F.binary_cross_entropy_with_logits(output["side"], targets[SIDE], reduction="none")
        valid = batch["valid"].repeat_interleave(each.shape[1] // batch["valid"].shape[1], dim=1)
        mask = targets[SIDE_MASK] * valid[..., None]
        side = masked_mean(each, mask)
        return {**parts, "loss": parts["loss"] + WEIGHT * side, "side": side}

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return ``logits`` and, where there is one, ``displacement``, (B, A, 2K), an action's teams side by side."""
        found, side = self.head.predict(output), output["side"]
        action = F.logsigmoid(found["logits"])[..., None]
        both = action + torch.stack((F.logsigmoid(-side), F.logsigmoid(side)), dim=-1)  # logarithms of probabilities
        logits = both - torch.log(-torch.expm1(both.clamp(max=-1e-6)))
        return {name: value.repeat_interleave(2, dim=-1) for name, value in found.items()} | {
            "logits": logits.flatten(2)
        }


def count_outputs(task: Task, method: str) -> int:
    """Return how many classes a head is built for; raises UserError for an unknown method."""
    check_choice("model.teams", method, METHODS)
    return len(task.columns) if method == "joint" else len(task.classes)


def with_teams(head: Head, network: Network, task: Task, method: str) -> Head:
    """Return the head, built for ``count_outputs`` classes, so that it tells the teams of the task apart, if any."""
    if not task.teams:
        return head
    return JointHead(head, task) if method == "joint" else SideHead(head, task, network.width, network.upsample)


def _labelled(spots: Spots, label: NDArray[np.int64], rows: NDArray[np.bool_]) -> Spots:
    return replace(spots, label=label).take(rows)


def _differ(first: Arrays, second: Arrays, frames: int) -> NDArray[np.bool_]:
    """Return the frames (T,) whose targets differ; those of a window alone are of all its frames."""
    found = np.zeros(frames, bool)
    for name, values in first.items():
        if len(values) == 1 or len(values) % frames == 0:  # a window, or anchors of frames
            found |= (values != second[name]).reshape(min(len(values), frames), -1).any(1)
    return found


def _own(targets: Targets) -> Targets:
    """Return the targets of the inner head alone."""
    ours = (UNKNOWN, SIDE, SIDE_MASK)
    return {name: value for name, value in targets.items() if name not in ours and not name.startswith(MIRRORED)}
