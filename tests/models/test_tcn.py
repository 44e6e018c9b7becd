"""The small convolutional network sees its surroundings, as far as its dilations reach, and nothing beyond the half."""

from __future__ import annotations

import pytest
import torch

from spotter.errors import UserError
from spotter.models.tcn import TemporalConvNet
from tests.helpers.networks import LAYOUT, clips


def net(upsample: int = 1) -> TemporalConvNet:
    torch.manual_seed(0)
    return TemporalConvNet(LAYOUT, upsample, dim=32, kernel=3, dilations=(1, 2)).eval()


@pytest.mark.parametrize("upsample", [1, 2])
def test_there_is_a_token_for_every_anchor(upsample: int) -> None:
    batch = clips(3, 10)
    network = net(upsample)
    assert network(batch["inputs"], batch["phase"], batch["valid"]).shape == (3, 10 * upsample, network.width)


def test_a_token_sees_as_far_as_the_dilations_reach() -> None:
    batch, network = clips(1, 12), net()
    out = network(batch["inputs"], batch["phase"], batch["valid"])
    changed = batch["inputs"]["a"].clone()
    changed[:, 6] += 1.0
    moved = (network({"a": changed}, batch["phase"], batch["valid"]) != out).any(-1)[0]
    assert moved.nonzero().flatten().tolist() == [3, 4, 5, 6, 7, 8, 9]


def test_what_lies_beyond_the_half_changes_nothing() -> None:
    batch, network = clips(2, 12, [(4, 12), (0, 7)]), net()
    soiled = {"a": torch.where(batch["valid"][..., None], batch["inputs"]["a"], 50.0)}
    clean = network(batch["inputs"], batch["phase"], batch["valid"])
    assert torch.equal(network(soiled, batch["phase"], batch["valid"]), clean)


@pytest.mark.parametrize("upsample", [1, 2])
def test_a_short_clip_has_the_same_tokens_however_far_it_is_padded(upsample: int) -> None:
    batch, network = clips(1, 12, [(0, 7)]), net(upsample)
    for convolution in network.convolutions:
        torch.nn.init.ones_(convolution.bias)
    padded = network(batch["inputs"], batch["phase"], batch["valid"])
    short = network({"a": batch["inputs"]["a"][:, :7]}, batch["phase"], batch["valid"][:, :7])
    torch.testing.assert_close(padded[:, : 7 * upsample], short)


@pytest.mark.parametrize(("kernel", "dilations"), [(4, (1,)), (3, ())])
def test_what_makes_no_convolution_is_refused(kernel: int, dilations: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="expected an odd kernel and a dilation"):
        TemporalConvNet(LAYOUT, kernel=kernel, dilations=dilations)
