"""Shifts give what their papers' slow way gives, with its true gradient, in either memory format."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.models.blocks.fused_shift import DilatedShift, FusedShift
from spotter.models.blocks.shift import Frames, GatedShift, Shifted, TemporalShift, _MoveGated

FORMATS = [torch.contiguous_format, torch.channels_last]


class SlowGate(nn.Module):
    """Shift by a 3-D convolution over (B, F, T, H, W), as the paper has it, without its last step."""

    def __init__(self, ours: GatedShift) -> None:
        super().__init__()
        self.fold, self.frames = ours.fold, ours.frames
        self.bn = nn.BatchNorm3d(self.fold).to(ours.weight.dtype)
        self.bn.load_state_dict(ours.bn.state_dict())
        self.conv = nn.Conv3d(self.fold, 2, 3, padding=1, groups=2).to(ours.weight.dtype)
        self.conv.weight.data = ours.weight.data.view(2, 3, -1, 3, 3).transpose(1, 2).clone()
        self.conv.bias = nn.Parameter(ours.bias.data.clone())

    def forward(self, x: Tensor) -> Tensor:
        clips = x.unflatten(0, (-1, self.frames.count)).transpose(1, 2)  # (B, C, T, H, W)
        moving = clips[:, : self.fold]
        gate = torch.tanh(self.conv(F.relu(self.bn(moving))))
        halves = []
        for number, half in enumerate(moving.chunk(2, dim=1)):
            moved = half * gate[:, number : number + 1]
            still, zero = half - moved, torch.zeros_like(moved[:, :, :1])
            parts = (moved[:, :, 1:], zero) if number == 0 else (zero, moved[:, :, :-1])
            halves.append(still + torch.cat(parts, dim=2))
        return torch.cat([*halves, clips[:, self.fold :]], dim=1).transpose(1, 2).flatten(0, 1)


def slow_shift(x: Tensor, count: int) -> Tensor:
    clips, fold = x.unflatten(0, (-1, count)), x.shape[1] // 8
    out = torch.zeros_like(clips)
    out[:, :-1, :fold] = clips[:, 1:, :fold]
    out[:, 1:, fold : 2 * fold] = clips[:, :-1, fold : 2 * fold]
    out[:, :, 2 * fold :] = clips[:, :, 2 * fold :]
    return out.flatten(0, 1)


def example(channels: int, count: int, memory: torch.memory_format) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2 * count, channels, 5, 4, dtype=torch.float64).to(memory_format=memory)


def gate(frames: Frames, channels: int) -> GatedShift:
    torch.manual_seed(0)
    shift = GatedShift(frames, channels).double()
    for parameter in shift.parameters():
        nn.init.normal_(parameter, std=0.5)
    return shift


@pytest.mark.parametrize("memory", FORMATS)
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(("channels", "count"), [(32, 4), (24, 3), (368, 2), (16, 1), (4, 3)])
def test_a_gate_equals_its_slow_way_and_so_does_its_gradient(
    channels: int, count: int, train: bool, memory: torch.memory_format
) -> None:
    frames = Frames()
    frames.count = count
    shift = gate(frames, channels)
    ours = Shifted(shift, nn.Conv2d(channels, 6, 3).double()).train(train)
    slow = Shifted(SlowGate(shift), copy.deepcopy(ours.net)).train(train)
    x = example(channels, count, memory)
    grads = []
    for net in (ours, slow):
        leaf = x.clone(memory_format=memory).requires_grad_()
        out = net(leaf.relu())
        grads.append((out, *torch.autograd.grad((out**2).sum(), [leaf, *net.parameters()])))
    named = [
        dict(zip(["out", "x", *(n for n, _ in net.named_parameters())], g, strict=True))
        for net, g in zip((ours, slow), grads, strict=True)
    ]
    slow_weight = named[1].pop("shift.conv.weight").transpose(1, 2).reshape(6, -1, 3, 3)
    expected = {**named[1], "shift.weight": slow_weight, "shift.bias": named[1].pop("shift.conv.bias")}
    for name, value in named[0].items():
        torch.testing.assert_close(value, expected[name], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(ours.shift.bn.running_var, slow.shift.bn.running_var)


def test_a_gate_starts_closed_and_leaves_its_input_alone() -> None:
    frames = Frames()
    frames.count = 4
    x = example(32, 4, torch.channels_last).float()
    before = x.clone()
    torch.testing.assert_close(GatedShift(frames, 32)(x), x)
    torch.testing.assert_close(x, before)


@pytest.mark.parametrize("memory", FORMATS)
@pytest.mark.parametrize(("channels", "count"), [(32, 4), (24, 3), (12, 1), (4, 3)])
def test_channels_shift_out_of_place_with_the_true_gradient(
    channels: int, count: int, memory: torch.memory_format
) -> None:
    frames = Frames()
    frames.count = count
    shift, x = TemporalShift(frames, channels), example(channels, count, memory).requires_grad_()
    weight = torch.randn_like(x)
    torch.testing.assert_close(shift(x), slow_shift(x, count))
    ours = torch.autograd.grad((shift(x) * weight).sum(), x)[0]
    torch.testing.assert_close(ours, torch.autograd.grad((slow_shift(x, count) * weight).sum(), x)[0])
    assert torch.autograd.gradcheck(shift, example(8, count, memory)[:, :, :2, :2].requires_grad_())


def test_half_precision_stays_half() -> None:
    frames = Frames()
    frames.count = 4
    net = Shifted(gate(frames, 32).float(), nn.Conv2d(32, 8, 1))
    x = example(32, 4, torch.channels_last).float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = net(x.bfloat16())
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), net(x), rtol=0.05, atol=0.05)
    out.float().sum().backward()
    assert x.grad is not None
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("shift", [GatedShift, TemporalShift])
def test_the_gradient_of_what_is_added_behind_a_shift_is_right(shift: type[GatedShift] | type[TemporalShift]) -> None:
    """A sum gives one gradient to both of its terms, so that no shift may write to it."""
    frames = Frames()
    frames.count = 4
    layer, x = shift(frames, 16).double(), example(16, 4, torch.channels_last).requires_grad_()
    other, weight = torch.randn_like(x, requires_grad=True), torch.randn_like(x)
    ((layer(x) + other) * weight).sum().backward()
    torch.testing.assert_close(other.grad, weight)


def test_only_a_convolution_gets_a_gradient_that_is_written_to() -> None:
    assert not GatedShift(Frames(), 16).before_convolution
    assert Shifted(GatedShift(Frames(), 16), nn.Conv2d(16, 4, 1)).shift.before_convolution
    assert not Shifted(GatedShift(Frames(), 16), nn.Identity()).shift.before_convolution


def test_gradients_of_gates_do_not_overflow_in_half_precision() -> None:
    """Products of 300 by 300 are beyond what float16 holds, though their sum is not."""
    signs = torch.tensor([1.0, -1.0, 1.0, -0.99]).repeat(8)[:, None, None]
    x = (300 * signs.expand(4, 32, 3, 3)).half().requires_grad_()
    taps = torch.zeros(4, 6, 3, 3, dtype=torch.float16, requires_grad=True)
    (_MoveGated.apply(x, x[:, :8].detach(), taps, 2) * 300).sum().backward()
    wide = taps.detach().double().requires_grad_()
    (_MoveGated.apply(x.detach().double(), x[:, :8].detach().double(), wide, 2) * 300).sum().backward()
    assert torch.isfinite(taps.grad).all()
    torch.testing.assert_close(taps.grad.double(), wide.grad, rtol=0.01, atol=0.01)


def test_fusion_weighs_what_moved_against_what_stayed_in_either_memory_format() -> None:
    """With weights of one half it halves a gated shift; its gates begin open, and its layout is that of its input."""
    frames = Frames()
    frames.count = 3
    torch.manual_seed(0)
    fused, plain = FusedShift(frames, 32).eval(), GatedShift(frames, 32).eval()
    assert fused.weight.any()
    assert fused.bias.any()
    for convolution in fused.fuse:
        nn.init.zeros_(convolution.weight), nn.init.zeros_(convolution.bias)
    plain.load_state_dict(fused.state_dict(), strict=False)
    for memory in FORMATS:
        x = example(32, 3, memory).float()
        out = fused(x)
        assert out.is_contiguous(memory_format=memory)
        torch.testing.assert_close(2 * out[:, :8], plain(x)[:, :8])
        assert torch.equal(out[:, 8:], x[:, 8:])
    out.sum().backward()
    assert all(parameter.grad is not None for parameter in fused.parameters())


def test_parts_of_the_channels_move_further_where_dilations_say_so() -> None:
    frames = Frames()
    frames.count = 4
    torch.manual_seed(0)
    near, far = DilatedShift(frames, 32, (1,)), DilatedShift(frames, 32, (1, 2))
    plain = GatedShift(frames, 32)
    for parameter in plain.parameters():
        nn.init.normal_(parameter, std=0.5)
    x = example(32, 4, torch.contiguous_format).float()
    for shift in (near, far):
        shift.load_state_dict(plain.state_dict())
    torch.testing.assert_close(near.eval()(x), plain.eval()(x))
    opened = far.eval()
    nn.init.zeros_(opened.weight), nn.init.constant_(opened.bias, 20.0)  # gates wide open
    moved, clips = opened(x).view(2, 4, 32, 5, 4), x.view(2, 4, 32, 5, 4)
    torch.testing.assert_close(moved[:, :3, :2], clips[:, 1:, :2])
    torch.testing.assert_close(moved[:, :2, 2:4], clips[:, 2:, 2:4])
    torch.testing.assert_close(moved[:, 1:, 4:6], clips[:, :3, 4:6])
    torch.testing.assert_close(moved[:, 2:, 6:8], clips[:, :2, 6:8])
    assert not moved[:, 2:, 2:4].any()
    frames.count = 1
    assert opened(x).shape == x.shape, "a clip may be shorter than the way"
