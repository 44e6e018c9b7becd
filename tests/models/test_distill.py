"""Distillation: the loss is its definition, moments are learned, and labels teach nothing but the probe."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from spotter.errors import UserError
from spotter.models.comedian.distill import DistillHead, distillation_loss

RATES = 0.5, 0.1, 0.05


def head(**changes: Any) -> DistillHead:
    sizes = {"width": 6, "classes": 3, "dim": 4, "tube": 2, "hidden": 16, "queue": 12, "fps": 2.0}
    dense = {"radius": 0.5, "displacement_radius": 0.5, "displacement": "none", "positive_weight": None}
    torch.manual_seed(0)
    return DistillHead(**{**sizes, **dense, **changes})


def batch(rows: Tensor | None, frames: int = 8, inside: int = 8) -> Any:
    """Return clips whose last frames lie beyond the half."""
    valid = (torch.arange(frames) < inside).expand(2, -1)
    inputs = {} if rows is None else {"teacher": rows}
    return {"inputs": inputs, "valid": valid, "targets": {"confidence": torch.ones(2, frames, 3)}}


def one_by_one(tokens: Tensor, features: Tensor, queue: Tensor) -> float:
    """Return the loss as the paper states it, token by token."""
    losses = []
    for clip in range(len(tokens)):
        for place in range(tokens.shape[1]):
            if not features[clip, place].any():
                continue
            compared = [row for row in features[clip] if row.any()] + [row for row in queue if row.any()]
            mine = sum(bool(row.any()) for row in features[clip, :place])
            student = torch.stack([tokens[clip, place] @ row for row in compared]) / 0.1
            others = [math.exp(float(features[clip, place] @ row) / 0.05) for row in compared]
            others[mine] = 0.0
            target = 0.5 * torch.tensor(others) / sum(others)
            target[mine] += 0.5
            losses.append(float(-(target * student.log_softmax(0)).sum()))
    return sum(losses) / len(losses)


@pytest.mark.parametrize(("filled", "beyond"), [(0, 0), (5, 0), (5, 2), (7, 3)])
def test_loss_is_its_definition(filled: int, beyond: int) -> None:
    torch.manual_seed(filled)
    tokens, features = (F.normalize(torch.randn(3, 6, 4), dim=-1) for _ in range(2))
    queue = F.normalize(torch.randn(7, 4), dim=-1)
    queue[filled:], features[1, 6 - beyond :] = 0, 0
    found = distillation_loss(tokens, features, queue, *RATES)
    assert float(found) == pytest.approx(one_by_one(tokens, features, queue), rel=1e-4)


def test_clips_of_a_batch_are_not_compared() -> None:
    tokens, features = (F.normalize(torch.randn(2, 5, 4), dim=-1) for _ in range(2))
    both, first, second = (distillation_loss(tokens[at], features[at], torch.zeros(3, 4), *RATES)
                           for at in (slice(None), [0], [1]))  # fmt: skip
    torch.testing.assert_close(both, (first + second) / 2)


def test_a_teacher_that_has_nothing_costs_nothing() -> None:
    tokens = F.normalize(torch.randn(2, 5, 4), dim=-1)
    assert distillation_loss(tokens, torch.zeros(2, 5, 4), torch.zeros(3, 4), *RATES) == 0


def test_moments_are_learned_and_remembered() -> None:
    """In training features of a step are what later ones are compared with; frames beyond the half are not kept."""
    learner, tokens, rows = head(), torch.randn(2, 8, 6), torch.randn(2, 8, 4)
    optimizer, seen = torch.optim.AdamW(learner.parameters(), lr=1e-2), []
    given = batch(rows, inside=6)
    for _ in range(60):
        losses = learner.loss(learner(tokens), given)
        losses["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        seen.append(losses["distillation"].item())
    assert seen[-1] < 0.6 * max(seen[:3])
    mean = F.normalize(rows.unflatten(1, (4, 2)).mean(2), dim=-1)
    mean[:, 3] = 0
    torch.testing.assert_close(learner.queue[:8], mean.flatten(0, 1))
    near = learner(tokens)["embedding"] @ mean.transpose(1, 2)
    assert near[:, :3].argmax(-1).tolist() == [[0, 1, 2]] * 2


def test_evaluation_remembers_nothing() -> None:
    learner = head().eval()
    learner.loss(learner(torch.randn(2, 8, 6)), batch(torch.randn(2, 8, 4)))
    assert not learner.queue.any()


def test_labels_teach_the_probe_alone() -> None:
    learner, tokens = head(), torch.randn(2, 8, 6, requires_grad=True)
    losses = learner.loss(learner(tokens), batch(torch.randn(2, 8, 4)))
    (by_labels,) = torch.autograd.grad(losses["probe"], tokens, retain_graph=True, allow_unused=True)
    assert by_labels is None
    losses["loss"].backward()
    assert tokens.grad is not None
    assert tokens.grad.any()
    assert all(parameter.grad is not None for parameter in learner.parameters())
    assert learner.predict(learner(tokens))["logits"].shape == (2, 8, 3)


def test_features_that_do_not_fit_name_their_key() -> None:
    learner = head()
    output = learner(torch.randn(2, 8, 6))
    with pytest.raises(UserError, match="TaughtVideoSource"):
        learner.loss(output, batch(None))
    with pytest.raises(UserError, match=r"model\.head\.dim: 4, but the teacher's features have 5"):
        learner.loss(output, batch(torch.randn(2, 8, 5)))
