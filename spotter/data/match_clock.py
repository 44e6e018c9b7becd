"""The clock of the match as an input: how long the half has been running, and which half it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spotter.types import Clip, Half

STREAM = "match_clock"
KNOTS = np.array([0, 5, 15, 30, 60, 120, 240, 480, 900, 1800, 2640, 2700, 2760, 2880, 3000, 3300], dtype=float)  # s
HALVES = 3  # first, second, any other
WIDTH = len(KNOTS) + HALVES


def read_match_clock(
    halves: Sequence[Half], clips: Sequence[Clip], clip_len: int, fps: float, offset: float | Sequence[float]
) -> Tensor:
    """Return what the clock shows at every frame of clips, (B, clip_len, WIDTH) float32.

    A time lies between two knots and has a share of each, closer together where a half begins and ends; the last
    columns say which half it is. Before the kick-off the clock shows 0.

    fps, offset : frame i lies at ``offset + i / fps`` seconds; one offset for all clips, or each its own
    """
    start = np.array([clip.start for clip in clips], dtype=float).reshape(-1, 1)
    first = np.broadcast_to(np.asarray(offset, float), len(clips)).reshape(-1, 1)
    time = np.clip(first + (start + np.arange(clip_len)) / fps, KNOTS[0], KNOTS[-1])  # (B, T)
    after = np.clip(np.searchsorted(KNOTS, time, side="right"), 1, len(KNOTS) - 1)
    share = (time - KNOTS[after - 1]) / (KNOTS[after] - KNOTS[after - 1])
    out = np.zeros((*time.shape, WIDTH), np.float32)
    np.put_along_axis(out, after[..., None] - 1, (1 - share)[..., None], axis=-1)
    np.put_along_axis(out, after[..., None], share[..., None], axis=-1)
    number = np.array([halves[clip.half].number for clip in clips], dtype=int)
    out[np.arange(len(clips)), :, len(KNOTS) + np.clip(number, 1, HALVES) - 1] = 1
    return torch.from_numpy(out)
