"""Temporal shifts for 2-D networks: channels move to neighbouring frames, always or scaled by a learned gate."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class Frames:
    """Hold how many frames a clip has, for all shifts of a network, whose clips are folded into the batch."""

    def __init__(self) -> None:
        self.count = 1


class Shifted(nn.Module):
    """Shift the input of ``net`` in time."""

    def __init__(self, shift: nn.Module, net: nn.Module) -> None:
        super().__init__()
        self.shift, self.net = shift, net
        if isinstance(shift, GatedShift):
            shift.before_convolution = isinstance(net, nn.Conv2d)

    def forward(self, x: Tensor) -> Tensor:
        """Return what ``net`` makes of the shifted (B * T, C, H, W)."""
        return self.net(self.shift(x))


class TemporalShift(nn.Module):
    """Give every frame an eighth of the next frame's channels and an eighth of the last one's; zeros at clip ends.

    Out of place, with the true gradient. After Lin et al., *TSM*, 2019.
    """

    def __init__(self, frames: Frames, channels: int) -> None:
        super().__init__()
        self.frames, self.fold = frames, channels // 8

    def forward(self, x: Tensor) -> Tensor:
        """Return the shifted (B * T, C, H, W)."""
        return _Shift.apply(x, self.frames.count, self.fold, False)


class GatedShift(nn.Module):
    """Move a quarter of the channels by one frame, scaled by a gate that is learned from their surroundings.

    Half of them move to the frame before, half to the one after. Gates are closed at the start of training, so that
    a pretrained network starts as it is. After Sudhakaran et al., *Gate-Shift Networks*, 2020, which afterwards
    interleaves channels of each half: that changes no more than the order of weights in the layer that follows.

    before_convolution : nothing but a convolution takes the output, which spares a copy of its gradient
    """

    before_convolution = False

    def __init__(self, frames: Frames, channels: int) -> None:
        super().__init__()
        self.frames, self.fold = frames, 4 * math.ceil(channels // 4 / 4)
        # A 3-D convolution of each half to one gate, as a 2-D one to what a frame adds to three: that is much faster.
        self.weight = nn.Parameter(torch.zeros(2 * 3, self.fold // 2, 3, 3))
        self.bias = nn.Parameter(torch.zeros(2))
        self.bn = nn.BatchNorm2d(self.fold)

    def forward(self, x: Tensor) -> Tensor:
        """Return the shifted (B * T, C, H, W)."""
        x, moving = _Take.apply(x, self.fold, self.before_convolution)
        normed = F.relu(self.bn(moving), inplace=True)
        bias = F.pad(self.bias[:, None], (1, 1)).flatten()  # of a gate, added by the tap of its own frame
        taps = F.conv2d(normed, self.weight, bias, padding=1, groups=2)  # (B * T, 2 * 3, H, W)
        return _MoveGated.apply(x, moving, taps, self.frames.count)


class _Shift(torch.autograd.Function):
    """Move the first ``fold`` channels one frame back and the next ``fold`` one forward, or both the other way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, count: int, fold: int, reverse: bool) -> Tensor:
        ctx.how = count, fold, reverse
        out = torch.empty_like(x)
        new, old = (torch.split(split_clips(each, count), [fold, fold, x.shape[1] - 2 * fold], 2) for each in (out, x))
        back, forth = (1, 0) if reverse else (0, 1)
        new[back][:, :-1], new[forth][:, 1:] = old[back][:, 1:], old[forth][:, :-1]
        new[back][:, -1], new[forth][:, 0] = 0, 0
        new[2][:] = old[2]
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        count, fold, reverse = ctx.how
        return _Shift.apply(grad, count, fold, not reverse), None, None, None


class _Take(torch.autograd.Function):
    """Copy the first channels of x (N, C, H, W), for ``_MoveGated`` to put others in their place.

    So the gradient that comes back for x counts only for the other channels, that of the copy for these.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, fold: int, own: bool) -> tuple[Tensor, Tensor]:
        ctx.own = own
        return x.view_as(x), x[:, :fold].contiguous(memory_format=layout_of(x))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, rest: Tensor, moving: Tensor) -> Any:
        # A convolution made ``rest`` for nobody else, so that it may be written to; a sum gives it to others, too.
        grad = rest if ctx.own and rest.is_contiguous(memory_format=layout_of(rest)) else rest.clone()
        grad[:, : moving.shape[1]] = moving
        return grad, None, None


class _MoveGated(torch.autograd.Function):
    """Gate ``moving`` (N, F, H, W) by ``taps`` (N, 2 * 3, H, W), move it and put it in place of x's first channels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, moving: Tensor, taps: Tensor, count: int) -> Tensor:
        dtype, single = taps.dtype, torch.promote_types(x.dtype, torch.float32)
        # CPUs add what lies apart in memory far faster in single precision than in half.
        old = split_channels(moving, count).to(single if x.device.type == "cpu" else x.dtype)
        before, now, after = taps.to(single).view(-1, count, 2, 3, *taps.shape[2:]).unbind(3)  # (B, T, 2, H, W)
        gate = torch.empty_like(now).copy_(now)
        gate[:, 1:] += before[:, :-1]
        gate[:, :-1] += after[:, 1:]
        gate = gate.tanh_()
        moved = old * gate[:, :, :, None].to(old.dtype)
        mixed = old - moved
        mixed[:, :-1, 0] += moved[:, 1:, 0]
        mixed[:, 1:, 1] += moved[:, :-1, 1]
        out = x.clone()
        out[:, : moving.shape[1]] = mixed.view_as(moving)
        ctx.save_for_backward(moving, gate)
        ctx.dtype = dtype
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        moving, gate = ctx.saved_tensors
        count, old = gate.shape[1], split_channels(moving, gate.shape[1])
        mixed = torch.empty_like(moving).copy_(grad[:, : moving.shape[1]])  # what lies dense is faster by far
        mixed = split_channels(mixed, count)
        moved = -mixed
        moved[:, 1:, 0] += mixed[:, :-1, 0]
        moved[:, :-1, 1] += mixed[:, 1:, 1]
        # Sums of products are in single precision: in half they would overflow, or lose what is small.
        gates = (moved.to(gate.dtype) * old).sum(3) * (1 - gate * gate)  # (B, T, 2, H, W)
        mixed += moved.mul_(gate[:, :, :, None])
        shape = moving.shape[0], 6, *moving.shape[2:]
        taps = torch.empty(shape, dtype=ctx.dtype, device=grad.device, memory_format=layout_of(moving)).zero_()
        before, now, after = taps.view(-1, count, 2, 3, *taps.shape[2:]).unbind(3)
        now[:], before[:, :-1], after[:, 1:] = gates, gates[:, 1:], gates[:, :-1]
        return grad, mixed.view_as(moving), taps, None


def split_clips(x: Tensor, count: int) -> Tensor:
    """View (B * T, C, H, W) as (B, T, C, H, W)."""
    return x.view(-1, count, *x.shape[1:])


def split_channels(x: Tensor, count: int) -> Tensor:
    """View (B * T, F, H, W) as (B, T, 2, F / 2, H, W)."""
    return x.view(-1, count, 2, x.shape[1] // 2, *x.shape[2:])


def layout_of(x: Tensor) -> torch.memory_format:
    """Return how a (N, C, H, W) tensor lies in memory."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format
