"""Distillation: tokens learn to be as near to features of their clip and of earlier ones as a teacher's own are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from spotter.data.source import TEACHER
from spotter.errors import UserError
from spotter.models.blocks.dense import DenseHead
from spotter.types import Batch, Output

CLOSED = -1e9  # similarity of what is not compared


class DistillHead(DenseHead):
    """Learn features that a teacher has of the same moments, and nothing of labels.

    dim : columns of the teacher's features
    fps, upsample : frames per second, and anchors per frame
    tube : anchors that have one token
    hidden : width of both hidden layers from a token to what is compared
    queue : features of earlier clips that are compared, too
    aligned : how much the feature of the same moment counts; the rest is by how near others are to it for the teacher
    temperature, teacher_temperature : of the similarities of tokens to features, and of features to each other
    probe : arguments of ``DenseHead``, which learns labels from tokens meanwhile and changes none of them: its score
        says what they are worth

    After SCE on tokens, of Denize et al., *COMEDIAN*, 2024. A batch needs the inputs of ``TaughtVideoSource``.
    """

    mixes = False
    measures = ("distillation",)
    queue: Tensor

    def __init__(
        self,
        width: int,
        classes: int,
        dim: int,
        fps: float = 1.0,
        upsample: int = 1,
        tube: int = 1,
        hidden: int = 1024,
        queue: int = 65536,
        aligned: float = 0.5,
        temperature: float = 0.1,
        teacher_temperature: float = 0.05,
        **probe: Any,
    ) -> None:
        super().__init__(width, classes, fps=fps, upsample=upsample, **probe)
        self.tube, self.aligned = tube, aligned
        self.temperature, self.teacher_temperature = temperature, teacher_temperature
        layers = (nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, dim))
        self.projection = nn.Sequential(*layers)
        self.register_buffer("queue", torch.zeros(queue, dim))  # a row of zeros is free

    def forward(self, tokens: Tensor) -> Output:
        """Return what ``DenseHead`` makes of tokens (B, A, width), and their ``embedding`` (B, A / tube, dim)."""
        output = super().forward(tokens.detach())
        output["embedding"] = F.normalize(self.projection(tokens[:, :: self.tube]), dim=-1)
        return output

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss``, the ``distillation`` in it, and that of the ``probe``."""
        features = self._features(batch)
        with torch.autocast(features.device.type, enabled=False):  # small differences of similarities count
            distillation = distillation_loss(
                *(output["embedding"], features, self.queue.clone()),  # which changes before gradients are computed
                *(self.aligned, self.temperature, self.teacher_temperature),
            )
        if self.training:
            self._remember(features)
        probe = super().loss(output, batch)["loss"]
        return {"loss": distillation + probe, "distillation": distillation, "probe": probe}

    def _features(self, batch: Batch) -> Tensor:
        """Return the teacher's features of each token, of length 1, (B, N, dim); zero where there is none."""
        rows = batch["inputs"].get(TEACHER)
        if rows is None:
            raise UserError("data.source: gives no features to learn; take spotter.data.video.taught.TaughtVideoSource")
        if rows.shape[-1] != self.queue.shape[1]:
            raise UserError(f"model.head.dim: {self.queue.shape[1]}, but the teacher's features have {rows.shape[-1]}")
        rows = rows * batch["valid"][..., None]
        return F.normalize(rows.view(len(rows), -1, self.tube, rows.shape[-1]).mean(2), dim=-1)

    @torch.no_grad()
    def _remember(self, features: Tensor) -> None:
        """Put the features of a step on all devices before those of earlier ones."""
        new = features.flatten(0, 1)
        if distributed.is_available() and distributed.is_initialized():
            each = [torch.empty_like(new) for _ in range(distributed.get_world_size())]
            distributed.all_gather(each, new.contiguous())
            new = torch.cat(each)
        self.queue.copy_(torch.cat((new, self.queue))[: len(self.queue)])


def distillation_loss(
    tokens: Tensor, features: Tensor, queue: Tensor, aligned: float, temperature: float, teacher_temperature: float
) -> Tensor:
    """Return the mean cross-entropy of tokens' similarities to features against the teacher's own.

    A token is compared with the features of its own clip and with those of the queue.

    tokens, features : (B, N, D), of length 1, features of zeros where the teacher has none
    queue : (M, D), of length 1, or zeros where it is free
    aligned : weight of the feature of the same moment
    """
    known, filled = features.any(-1), queue.any(-1)
    others = torch.cat((known[:, None].expand(-1, known.shape[1], -1), filled.expand(*known.shape, -1)), -1)
    same = torch.eye(known.shape[1], others.shape[-1], dtype=torch.bool, device=tokens.device)
    student = _similarities(tokens, features, queue) / temperature
    teacher = _similarities(features, features, queue) / teacher_temperature
    near = teacher.masked_fill(~others | same, CLOSED).softmax(-1)
    target = (aligned * same + (1 - aligned) * near).masked_fill(~others, 0)
    losses = -(target * student.masked_fill(~others, CLOSED).log_softmax(-1)).sum(-1)
    return (losses * known).sum() / known.sum().clamp(min=1)


def _similarities(ours: Tensor, features: Tensor, queue: Tensor) -> Tensor:
    """Return (B, N, N + M)."""
    return torch.cat((ours @ features.transpose(1, 2), ours @ queue.T), -1)
