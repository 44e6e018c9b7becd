"""The losses of CALF: a segmentation weighted by the time to a spot, and slots that are matched to spots.

After Cioppa et al., *A Context-Aware Loss Function for Action Spotting in Soccer Videos*, 2020, and its code for
SoccerNet-v2, which sums over the batch; here both losses are sums per clip.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

ENOUGH = 0.9  # a score this high where it should be, or 1 minus a score this low, costs nothing
SMALLEST = 1e-6  # argument of a logarithm


def context_aware(score: Tensor, shift: Tensor, margins: Tensor, symmetric: bool = False) -> Tensor:
    """Return the context-aware loss of every frame and class, (…, T, K).

    score : (…, T, K) of the segmentation, 0 … 1
    shift : (…, T, K) seconds since the governing spot, negative before it
    margins : (K, 4) seconds K1 < K2 < 0 < K3 < K4. Between K2 and 0 there is no loss; from there to K3 low scores cost,
        at first without bound; beyond K1 and K4 high ones; in between costs fade in or out.
    symmetric : low scores cost between K2 and 0 as they do between 0 and K3
    """
    first, second, third, last = margins.unbind(-1)
    before = ((shift - first) / (second - first)).clamp(0, 1)
    after = ((last - shift) / (last - third)).clamp(0, 1)
    high = torch.minimum(before, after)  # what a high score is worth: 1 from K2 to K3, 0 beyond K1 and K4
    low = torch.where((shift >= 0) & (shift < third), shift / third, 1.0)
    if symmetric:
        low = torch.where((shift < 0) & (shift > second), shift / second, low)
    likelihood = score * high + (1 - score) * low
    return (math.log(ENOUGH) - likelihood.clamp(min=SMALLEST).log()).clamp(min=0)


def match(time: Tensor, wanted: Tensor, predicted: Tensor) -> Tensor:
    """Match spots and slots one to one, and return which slot each spot got, (B, S) int64; 0 where none is wanted.

    In each round every spot without a slot names the nearest free one, and every slot that is named takes the nearest
    of the spots that name it, the first of equals.

    time : (B, S) of the spots, ``wanted`` (B, S) bool where there is one
    predicted : (B, S) times of the slots
    """
    nearness = 1 - (time[:, :, None] - predicted[:, None, :]).abs()  # (B, spots, slots)
    waiting, free = wanted, torch.ones_like(wanted)
    matched = torch.zeros_like(nearness, dtype=torch.bool)
    for _ in range(time.shape[1]):  # always enough; whether fewer were would have to be asked of the device
        named = mark_highest(nearness.masked_fill(~free[:, None, :], -1), 2) & waiting[:, :, None]
        pairs = named & mark_highest(nearness.masked_fill(~named, -1), 1)
        matched = matched | pairs
        waiting, free = waiting & ~pairs.any(2), free & ~pairs.any(1)
    return matched.int().argmax(2)


def mark_highest(values: Tensor, dim: int) -> Tensor:
    """Return True at the highest of ``values`` (B, S, S) along ``dim``, the first of equals."""
    one = F.one_hot(values.argmax(dim), values.shape[dim]).bool()
    return one if dim == values.dim() - 1 else one.transpose(dim, -1)


def spotting(slots: Tensor, target: Tensor, coordinate: float, empty: float) -> Tensor:
    """Return the spotting loss of every clip, (B,): squared errors of the slots after matching.

    slots, target : (B, S, 2 + K) confidence, time, and probability of each class; confidences of targets are 0 or 1
    coordinate : weight of the time of matched slots
    empty : weight of the confidence of slots without a spot
    """
    wanted = target[..., 0] > 0
    slot = match(target[..., 1], wanted, slots[..., 1].detach())  # (B, S)
    paired = slots.gather(1, slot[..., None].expand_as(slots))
    error = (paired - target) ** 2
    matched = error[..., 0] + coordinate * error[..., 1] + error[..., 2:].sum(-1)
    taken = (F.one_hot(slot, slots.shape[1]) * wanted[..., None]).sum(1)  # (B, slots)
    return (wanted * matched).sum(1) + empty * ((1 - taken) * slots[..., 0] ** 2).sum(1)
