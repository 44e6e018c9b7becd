"""The dense transformer says something of every anchor, from inside the half alone, with all of the clip in view."""

from __future__ import annotations

import pytest
import torch

from spotter.errors import UserError
from spotter.models.transformer import Transformer
from tests.helpers.networks import LAYOUT, TINY, clips

SIGHTED = {"dilations": (1, 2), "kernel": 3, "attention_dropout": 0.0}  # with convolutions before attention
VARIANTS = pytest.mark.parametrize("more", [{}, SIGHTED], ids=["attention", "convolutions"])


@VARIANTS
@pytest.mark.parametrize("upsample", [1, 2, 3])
def test_there_is_a_token_for_every_anchor(upsample: int, more: dict) -> None:
    net = Transformer(LAYOUT, upsample, **TINY, **more).eval()
    batch = clips(3, 10)
    assert net(batch["inputs"], batch["phase"], batch["valid"]).shape == (3, 10 * upsample, net.width)


@VARIANTS
@pytest.mark.parametrize("upsample", [1, 2])
def test_what_lies_beyond_the_half_changes_nothing_inside(upsample: int, more: dict) -> None:
    torch.manual_seed(0)
    net = Transformer(LAYOUT, upsample, **TINY, **more).eval()
    batch = clips(3, 12, [(0, 12), (4, 12), (0, 7)])
    soiled = {"a": torch.where(batch["valid"][..., None], batch["inputs"]["a"], 50.0 * torch.randn(3, 12, 7))}
    inside = batch["valid"].repeat_interleave(upsample, 1)
    clean_out = net(batch["inputs"], batch["phase"], batch["valid"])
    soiled_out = net(soiled, batch["phase"], batch["valid"])
    torch.testing.assert_close(clean_out[inside], soiled_out[inside])
    assert torch.isfinite(clean_out).all()


@VARIANTS
def test_a_token_sees_the_whole_clip_and_its_order(more: dict) -> None:
    torch.manual_seed(0)
    net = Transformer(LAYOUT, 1, **TINY, **more).eval()
    batch = clips(1, 12)
    out = net(batch["inputs"], batch["phase"], batch["valid"])
    changed = batch["inputs"]["a"].clone()
    changed[:, 11] += torch.randn(7)
    assert not torch.allclose(net({"a": changed}, batch["phase"], batch["valid"])[:, 0], out[:, 0])
    swapped = batch["inputs"]["a"][:, [0, 2, 1, *range(3, 12)]]
    assert not torch.allclose(net({"a": swapped}, batch["phase"], batch["valid"])[:, 0], out[:, 0], atol=1e-4)


def test_batches_do_not_mix_and_prediction_is_repeatable() -> None:
    net = Transformer(LAYOUT, 2, **TINY).eval()
    batch = clips(4, 9, [(0, 9), (3, 9), (0, 5), (2, 6)])
    together = net(batch["inputs"], batch["phase"], batch["valid"])
    for i in range(4):
        one = slice(i, i + 1)
        alone = net({"a": batch["inputs"]["a"][one]}, {"a": batch["phase"]["a"][one]}, batch["valid"][one])
        inside = batch["valid"][i].repeat_interleave(2)
        torch.testing.assert_close(alone[0][inside], together[i][inside])
    assert torch.equal(net(batch["inputs"], batch["phase"], batch["valid"]), together)


def test_a_kernel_without_a_middle_is_refused() -> None:
    with pytest.raises(UserError, match="odd kernel and dilations from 1 on, found kernel=4"):
        Transformer(LAYOUT, 1, **TINY, dilations=(1,), kernel=4)


def test_the_published_size_stays_small() -> None:
    layout = {"baidu": {"fps": 1, "clock_fps": 1, "groups": [2048, 2048, 384, 2048, 2048]}}
    parameters = sum(p.numel() for p in Transformer(layout, 2).parameters())
    assert 4e6 < parameters < 8e6  # at full width without projection it would be 886 million
