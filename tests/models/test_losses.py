"""Losses equal their formulas, element by element, and stay finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from spotter.models.blocks.losses import balanced_bce, gaussian, huber, masked_mean, soft_cross_entropy


def tensors(seed: int, *shape: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = (3 * torch.randn(*shape, generator=generator) for _ in range(2))
    return first, second, torch.rand(*shape, generator=generator) < 0.6


def slow_mean(values: list[float]) -> float:
    return sum(values) / max(1, len(values))


@given(st.integers(0, 10_000), st.sampled_from([0.0, 1.0, 2.0]), st.booleans())
def test_balanced_cross_entropy_equals_its_formula(seed: int, gamma: float, soft: bool) -> None:
    logits, noise, _ = tensors(seed, 2, 4, 3)
    target = noise.sigmoid() if soft else (noise > 1).float()
    valid = torch.rand(2, 4, 1, generator=torch.Generator().manual_seed(seed + 1)) < 0.7
    positive, negative = torch.tensor([0.5, 3.0, 1.0]), torch.tensor([1.2, 1.0, 0.1])
    values = []
    for clip, anchor, label in np.ndindex(2, 4, 3):
        if valid[clip, anchor, 0]:
            y, p = float(target[clip, anchor, label]), 1 / (1 + math.exp(-float(logits[clip, anchor, label])))
            loss = -float(positive[label]) * y * math.log(p) - float(negative[label]) * (1 - y) * math.log(1 - p)
            values.append(loss * abs(y - p) ** gamma)
    told = balanced_bce(logits, target, positive, negative, valid, gamma)
    assert float(told) == pytest.approx(slow_mean(values), rel=1e-3, abs=1e-5)


def test_cross_entropy_survives_any_logit() -> None:
    logits = torch.tensor([[[1e4, -1e4, 1e4, -1e4]]], requires_grad=True)
    target = torch.tensor([[[1.0, 0.0, 0.0, 1.0]]])
    ones = torch.ones(4)
    for gamma in (0.0, 2.0):
        loss = balanced_bce(logits, target, ones, ones, torch.ones(1, 1, 1, dtype=torch.bool), gamma)
        (gradient,) = torch.autograd.grad(loss, logits)
        assert torch.isfinite(loss)
        assert torch.isfinite(gradient).all()


@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.5, 2.0]))
def test_huber_equals_its_formula(seed: int, delta: float) -> None:
    error, _, counts = tensors(seed, 2, 4, 3)
    values = []
    for e in error[counts].tolist():
        values.append(0.5 * e * e / delta if abs(e) <= delta else abs(e) - 0.5 * delta)
    assert float(huber(error, counts, delta)) == pytest.approx(slow_mean(values), rel=1e-4, abs=1e-6)


@given(st.integers(0, 10_000))
def test_gaussian_equals_its_formula(seed: int) -> None:
    error, log_variance, counts = tensors(seed, 2, 4, 3)
    pairs = zip(error[counts].tolist(), log_variance[counts].tolist(), strict=True)
    values = [0.3 * e * e / math.exp(v) + 0.7 * v for e, v in pairs]
    assert float(gaussian(error, log_variance, counts)) == pytest.approx(slow_mean(values), rel=1e-3, abs=1e-4)


def test_a_sure_error_costs_more_than_an_unsure_one() -> None:
    error, counts = torch.tensor([3.0]), torch.tensor([True])
    costs = [float(gaussian(error, torch.tensor([v]), counts)) for v in (-2.0, 0.0, math.log(27 / 7))]
    assert costs[0] > costs[1] > costs[2], "least where the variance is 3/7 of the squared error"


def test_nothing_counted_is_zero_and_pulls_nowhere() -> None:
    loss = torch.randn(2, 3, requires_grad=True)
    mean = masked_mean(loss, torch.zeros(2, 3, dtype=torch.bool))
    mean.backward()
    assert float(mean.detach()) == 0
    assert loss.grad is not None
    assert not loss.grad.any()
    none = torch.empty(0, 4, 2)
    assert float(masked_mean(none, none.bool())) == 0
    assert float(masked_mean(torch.tensor([1.0, 5.0, 9.0]), torch.tensor([True, False, True]))) == 5


def test_soft_cross_entropy_is_what_torch_takes_of_distributions() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(2, 5, 4), torch.rand(2, 5, 4).softmax(-1)
    weight, valid = torch.tensor([1.0, 5, 5, 5]), torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    ours = soft_cross_entropy(logits, target, weight, valid)
    torch.testing.assert_close(ours, F.cross_entropy(logits[valid], target[valid], weight=weight))
    assert soft_cross_entropy(logits, target, weight, ~valid & valid) == 0
