"""Stride-1 inference over a stretch gives what each window alone would give; every pooling does."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spotter.errors import UserError
from spotter.models.window_transformer import POOLS, WindowTransformer
from tests.helpers.networks import LAYOUT, TINY, clips


def network(pool: str = "flatten", window: int = 5, **more: Any) -> WindowTransformer:
    torch.manual_seed(0)
    return WindowTransformer(LAYOUT, window, **TINY, pool=pool, **more).eval()


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("window", [4, 5])
def test_a_stretch_gives_at_each_frame_what_its_window_gives(pool: str, window: int) -> None:
    net = network(pool, window)
    stretch = clips(2, 11, [(0, 11), (3, 9)])
    out = net(stretch["inputs"], stretch["phase"], stretch["valid"])
    assert out.shape == (2, 11, net.width)
    for clip, (low, high) in enumerate([(0, 11), (3, 9)]):
        for frame in range(low, high):
            rows = [min(max(frame - window // 2 + i, low), high - 1) for i in range(window)]  # edges repeated
            one = {"a": stretch["inputs"]["a"][clip : clip + 1, rows]}
            alone = net(one, {"a": torch.zeros(1)}, torch.ones(1, window, dtype=torch.bool))
            assert alone.shape == (1, 1, net.width)
            torch.testing.assert_close(out[clip, frame], alone[0, 0], atol=1e-5, rtol=1e-4)


def test_a_window_that_overhangs_the_half_repeats_its_edge() -> None:
    net = network(window=6)
    batch = clips(1, 6, [(2, 6)])
    rows = batch["inputs"]["a"][:, [2, 2, 2, 3, 4, 5]]
    repeated = net({"a": rows}, batch["phase"], torch.ones(1, 6, dtype=torch.bool))
    torch.testing.assert_close(net(batch["inputs"], batch["phase"], batch["valid"]), repeated)


def test_a_clip_outside_the_half_gives_numbers() -> None:
    batch = clips(1, 9, [(0, 0)])
    assert torch.isfinite(network()(batch["inputs"], batch["phase"], batch["valid"])).all()


def test_pools_see_what_they_should() -> None:
    x = torch.randn(3, 6, 4)
    taken = {pool: network(pool, window=6)._pool(x) for pool in POOLS}
    assert torch.equal(taken["flatten"], x.reshape(3, 24))
    assert torch.equal(taken["cls"], x[:, 0])
    assert torch.equal(taken["center"], x[:, 3])
    torch.testing.assert_close(taken["mean"], x.mean(1))
    assert torch.equal(taken["max"], x.max(1).values)
    assert network("cls").cls is not None


@pytest.mark.parametrize(("arguments", "said"), [({"pool": "sum"}, r"model\.network\.pool: 'sum'")])
def test_wrong_arguments_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        WindowTransformer(LAYOUT, 5, **arguments)
