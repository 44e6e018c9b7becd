"""What travels between the rooms: the batch, and what a head makes of it. B clips, T frames, A anchors, K classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict

from torch import Tensor


class Clip(NamedTuple):
    """Point at the frames ``start … start + clip_len`` of a half; they may overhang both of its ends.

    crop : where a crop that is smaller than the picture lies, across and down, from 0 to 1
    """

    half: int
    start: int
    crop: tuple[float, float] = (0.5, 0.5)


class Batch(TypedDict):
    """Hold the clips of one step; an evaluation batch may hold none at all (see ``spotter.data.clips``)."""

    # per stream (B, rows, width), float16 or float32 as stored, or "video" (B, T, H, W, 3) uint8; zero outside the half
    inputs: dict[str, Tensor]
    phase: dict[str, Tensor]  # per stream (B,) float32: rows between the stream's first row and the clip's start
    valid: Tensor  # (B, T) bool: the frame lies inside the half
    targets: dict[str, Tensor]  # what the head's loss compares with, empty when there are no labels
    half: Tensor  # (B,) int64: index of the half
    start: Tensor  # (B,) int64: the clip's first frame


class Output(TypedDict, total=False):
    """Hold what a head says of a batch."""

    logits: Tensor  # (B, A, K), or (B, A, 1 + K) with the background first
    displacement: Tensor  # (B, A, K) signed distance from anchor to spot, in anchors
    log_variance: Tensor  # (B, A, K) of the displacement
    positions: Tensor  # (B, N, W) logits of the positions within each window
    segmentation: Tensor  # (B, T, K) from 0 to 1, how near to a spot each frame is, as CALF sees it
    slots: Tensor  # (B, S, 2 + K) a spot's logit of confidence, its time as a share of the clip, shares of its class


Targets = dict[str, Tensor]


def blend(mine: Tensor, theirs: Tensor, weight: Tensor) -> Tensor:
    """Return ``weight`` (B,) of one tensor (B, …) and the rest of the other."""
    share = weight.to(mine.dtype).view(-1, *[1] * (mine.dim() - 1))
    return share * mine + (1 - share) * theirs


def blend_all(mine: Mapping[str, Tensor], theirs: Mapping[str, Tensor], weight: Tensor) -> dict[str, Tensor]:
    """Blend every tensor with that of the same name, see ``blend``."""
    return {name: blend(value, theirs[name], weight) for name, value in mine.items()}


def batch_size(batch: Batch | dict[str, Any]) -> int:
    """Return the number of clips in ``batch``."""
    return len(batch["half"])
