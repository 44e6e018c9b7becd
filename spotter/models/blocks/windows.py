"""Windows within clips: one in training, one around every frame of a longer clip in evaluation."""

from __future__ import annotations

import torch
from torch import Tensor


def window_index(valid: Tensor, window: int) -> Tensor:
    """Return the rows (B, N, window) of every window, those outside the half replaced by the nearest inside.

    valid : (B, T) bool. A clip of ``window`` frames is one window, N = 1; in a longer one a window is centred on every
    frame, N = T: stride-1 inference.
    """
    count = valid.shape[1]
    first = torch.arange(count, device=valid.device) - window // 2
    if count == window:
        first = torch.zeros(1, dtype=torch.long, device=valid.device)
    index = first[:, None] + torch.arange(window, device=valid.device)  # (N, window)
    low = valid.int().argmax(1)  # (B,) first valid row
    high = count - 1 - valid.flip(1).int().argmax(1)
    return index.expand(len(valid), -1, -1).clamp(low[:, None, None], high[:, None, None])


def windows_of(rows: Tensor, valid: Tensor, window: int) -> Tensor:
    """Return the windows (B, N, window, dim) of rows (B, T, dim), see ``window_index``."""
    clip = torch.arange(len(rows), device=rows.device)[:, None, None]
    return rows[clip, window_index(valid, window)]


def valid_windows(valid: Tensor, count: int) -> Tensor:
    """Return which of a clip's ``count`` windows lie in the half (B, N): centred in it, or the only one and near it.

    valid : (B, T) bool
    """
    return valid if count == valid.shape[1] else valid.any(1, keepdim=True)


def check_upsample(upsample: int) -> None:
    """Raise ValueError where anything but one anchor a frame is asked for."""
    if upsample != 1:
        raise ValueError("model.upsample: windows are classified once per frame, it must be 1")
