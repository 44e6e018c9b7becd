"""Attention within windows equals a slow look at every frame; stages refine what the one before said."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spotter.models.e2e_spot.asformer import ASFormer, _Attention
from spotter.models.e2e_spot.mstcn import MSTCN


def slow_attention(layer: _Attention, x: Tensor, known: Tensor) -> Tensor:
    """Attend frame by frame; what lies in the block of queries, but not in the frame's window, weighs a millionth."""
    query, key, value = layer.query_conv(x), layer.key_conv(x), layer.value_conv(known)
    length, window, half = x.shape[2], layer.window, layer.window // 2
    out = torch.zeros_like(value)
    for t in range(length):
        first = t // window * window - half
        places = range(first, first + window + 2 * half)
        inside = torch.tensor([float(t - half <= at < t - half + window and 0 <= at < length) for at in places])
        keys = torch.stack([key[0, :, at] if 0 <= at < length else 0 * key[0, :, 0] for at in places])
        values = torch.stack([value[0, :, at] if 0 <= at < length else 0 * value[0, :, 0] for at in places])
        energy = keys @ query[0, :, t] / query.shape[1] ** 0.5
        share = (energy + torch.log(inside + 1e-6)).softmax(0) * inside
        out[0, :, t] = share @ values
    return layer.conv_out(out.relu())


@pytest.mark.parametrize("window", [1, 2, 4, 16])
@pytest.mark.parametrize("length", [1, 7, 16])
def test_attention_within_windows(window: int, length: int) -> None:
    torch.manual_seed(0)
    layer, x, known = _Attention(8, window), 3 * torch.randn(1, 8, length), torch.randn(1, 8, length)
    torch.testing.assert_close(layer(x, known), slow_attention(layer, x, known))
    torch.testing.assert_close(layer(x, None), slow_attention(layer, x, x))
    both = layer(torch.cat([x, -x]), torch.cat([known, known]))
    torch.testing.assert_close(both[:1], layer(x, known), msg="clips of a batch do not mix")


@pytest.mark.parametrize("network", [MSTCN(6, 2), ASFormer(6, 2)])
def test_later_stages_see_earlier_scores(network: torch.nn.Module) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 9, 6)
    with torch.no_grad():
        before = network.eval()(x)
        first = network.stages[0] if isinstance(network, MSTCN) else network.encoder
        first.conv_out.bias += 1 + torch.arange(3)  # type: ignore[union-attr, operator]
        after = network(x)
    torch.testing.assert_close(after[0], before[0] + 1 + torch.arange(3))
    assert all((later != sooner).any() for later, sooner in zip(after[1:], before[1:], strict=True))
