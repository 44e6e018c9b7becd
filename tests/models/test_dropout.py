"""Dropout on a CPU leaves out as many values as asked for, and keeps their mean."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spotter.models.blocks.dropout import Dropout


@given(p=st.floats(0.001, 0.999), seed=st.integers(0, 1000))
def test_a_fraction_of_values_is_left_out_and_the_mean_stays(p: float, seed: int) -> None:
    torch.manual_seed(seed)
    count = 40_001  # not a multiple of the four values that a draw decides
    out = Dropout(p)(torch.ones(count))
    left_out = float((out == 0).float().mean())
    assert left_out == pytest.approx(p, abs=5 * (p * (1 - p) / count) ** 0.5 + 1e-4)
    assert out[out != 0].unique().tolist() == pytest.approx([1 / (1 - p)], rel=0.02)


def test_neighbours_are_left_out_independently() -> None:
    torch.manual_seed(0)
    gone = (Dropout(0.5)(torch.ones(100_000, 4)) == 0).float()
    pairs = torch.corrcoef(torch.cat((gone[1:], gone[:-1]), 1).T)
    assert float((pairs - torch.eye(8)).abs().max()) < 0.02


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_pass_where_values_do(dtype: torch.dtype) -> None:
    values = torch.ones(7, 3, 5, dtype=dtype).transpose(0, 2).requires_grad_()
    out = Dropout(0.4)(values)
    out.sum().backward()
    assert values.grad is not None
    assert out.dtype == dtype
    assert out.shape == values.shape
    assert torch.equal(values.grad != 0, out != 0)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_nothing_and_everything_can_be_left_out(p: float) -> None:
    assert torch.equal(Dropout(p)(torch.ones(9)), torch.full((9,), 1 - p))


def test_evaluation_leaves_values_as_they_are_and_a_seed_repeats_training() -> None:
    values, dropout = torch.randn(50), Dropout(0.5)
    torch.manual_seed(3)
    first = dropout(values)
    torch.manual_seed(3)
    assert torch.equal(first, dropout(values))
    assert torch.equal(dropout.eval()(values), values)
