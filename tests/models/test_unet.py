"""The U-Net says something of every anchor of clips of any length, from inside the half alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spotter.errors import UserError
from spotter.models.blocks.dense import DenseHead
from spotter.models.unet import Bottleneck, UNet
from tests.helpers.dense_fitting import AT, OF, STREAMS, fit, run, several
from tests.helpers.networks import LAYOUT, clips

SMALL: dict[str, Any] = {"mlp": [12, 8], "levels": 3, "cap": 16}


def network(layout: Any = LAYOUT, upsample: int = 1, **more: Any) -> UNet:
    torch.manual_seed(0)
    return UNet(layout, upsample, **{**SMALL, **more})


@given(frames=st.integers(1, 19), upsample=st.integers(1, 2))
@settings(max_examples=20)
def test_there_is_a_token_for_every_anchor_of_a_clip_of_any_length(frames: int, upsample: int) -> None:
    net = network(upsample=upsample).eval()
    out = run(net, clips(2, frames))
    assert out.shape == (2, frames * upsample, net.width)
    assert net.width == 3 * 8
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("upsample", [1, 2])
def test_what_lies_beyond_the_half_changes_nothing_inside(upsample: int) -> None:
    net = network(upsample=upsample).eval()
    batch = clips(4, 12, [(0, 12), (4, 12), (0, 7), (0, 0)])
    clean = run(net, batch)
    soiled = torch.where(batch["valid"][..., None], batch["inputs"]["a"], 50.0 * torch.randn(4, 12, 7))
    inside = batch["valid"].repeat_interleave(upsample, 1)
    dirty = run(net, {**batch, "inputs": {"a": soiled}})
    torch.testing.assert_close(dirty[inside], clean[inside])
    assert torch.isfinite(clean).all()


def test_streams_of_other_rates_go_in_together() -> None:
    net = network(STREAMS, 2).eval()
    batch = several(3, 11, [(0, 11), (5, 11), (0, 4)])
    out = run(net, batch)
    assert out.shape == (3, 22, 24)
    for name in STREAMS:
        other = {**batch["inputs"], name: batch["inputs"][name] + 1}
        assert not torch.allclose(run(net, {**batch, "inputs": other}), out)


def test_a_token_sees_far_and_the_head_sees_its_neighbours() -> None:
    net = network().eval()
    batch = clips(1, 16)
    out = run(net, batch)
    own = out.reshape(1, 16, 8, 3)  # before, own, after
    torch.testing.assert_close(own[:, 1:, :, 0], own[:, :-1, :, 1])
    torch.testing.assert_close(own[:, :-1, :, 2], own[:, 1:, :, 1])
    assert (own[:, 0, :, 0] == 0).all()
    assert (own[:, -1, :, 2] == 0).all()
    changed = batch["inputs"]["a"].clone()
    changed[:, 15] += 5.0
    assert not torch.allclose(run(net, {**batch, "inputs": {"a": changed}})[:, 1], out[:, 1])


def test_a_linear_head_is_a_convolution_over_time() -> None:
    net = network().eval()
    convolution = nn.Conv1d(8, 5, 3, padding=1)
    linear = nn.Linear(net.width, 5)
    linear.weight.data = convolution.weight.data.flatten(1)
    linear.bias.data = convolution.bias.data  # type: ignore[union-attr]
    out = run(net, clips(2, 10))
    middle = out.reshape(2, 10, 8, 3)[..., 1]
    torch.testing.assert_close(linear(out), convolution(middle.transpose(1, 2)).transpose(1, 2))


@pytest.mark.parametrize(("before", "width"), [(8, 8), (4, 12)])
def test_a_block_is_what_a_slow_reference_computes(before: int, width: int) -> None:
    torch.manual_seed(0)
    block = Bottleneck(before, width)
    x = torch.randn(1, before, 6)
    out = torch.zeros(width, 6)
    for frame in range(6):

        def narrow(at: int) -> Tensor:
            if not 0 <= at < 6:
                return torch.zeros(width // 4)  # the padding of the convolution of three
            return block.narrow.weight[:, :, 0] @ x[0, :, at].clamp(min=0) + block.narrow.bias

        seen = [block.look.weight[:, :, i] @ narrow(frame + i - 1).clamp(min=0) for i in range(3)]
        said = block.widen.weight[:, :, 0] @ (seen[0] + seen[1] + seen[2] + block.look.bias).clamp(min=0)
        own = x[0, :, frame]
        if before != width:
            own = block.shortcut.weight[:, :, 0] @ own + block.shortcut.bias
        out[:, frame] = own + said + block.widen.bias
    torch.testing.assert_close(block(x)[0], out)


def test_four_clips_are_learnt_by_heart() -> None:
    net = network(upsample=2, mlp=[16, 16])
    loss, confidence, displacement = fit(net, DenseHead(net.width, 3, 0.5, 2.0, upsample=2), 2, steps=90, lr=1e-2)
    assert loss < 1e-3
    for clip, (at, label) in enumerate(zip(AT, OF, strict=True)):
        anchor, best = divmod(int(confidence[clip].argmax()), 3)
        assert best == label
        assert abs(anchor - 2 * (at + 0.1)) <= 1
        assert anchor + float(displacement[clip, anchor, label]) == pytest.approx(2 * (at + 0.1), abs=0.5)


def test_the_first_layer_is_for_wide_features_only() -> None:
    assert [layer.out_features for layer in network(mlp=[6, 5, 4]).mlp if isinstance(layer, nn.Linear)] == [5, 4]
    assert [layer.out_features for layer in network(mlp=[7, 5, 4]).mlp if isinstance(layer, nn.Linear)] == [4]
    assert network(mlp=[4]).width == 12


def test_the_published_size() -> None:
    layout = {"baidu": {"fps": 1, "clock_fps": 1, "groups": [8576]}}
    net = UNet(layout, 2)
    embedding = [*net.embed.parameters(), *net.mlp.parameters()]
    assert 4.4e6 < sum(p.numel() for p in embedding) < 4.7e6
    assert [blocks[-1].widen.out_channels for blocks in net.down] == [64, 128, 256, 512, 1024, 2048]


@pytest.mark.parametrize("wrong", [{"mlp": []}, {"levels": 0}, {"kernel": 2}])
def test_wrong_arguments_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"model\.network: expected a layer in mlp, a level and an odd kernel"):
        network(**wrong)
