"""Windows within clips, one in training, one around every frame of a longer clip in evaluation; targets and a head."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spotter.data.mixup import blend_all
from spotter.models.base import Head
from spotter.models.blocks import losses
from spotter.models.blocks.dropout import Dropout
from spotter.types import Arrays, Batch, ClipFrames, Output, Spots, TargetMaker, Targets


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
    return clamp_inside(index.view(1, -1), valid).view(-1, *index.shape)


def window_path(valid: Tensor, window: int) -> Tensor:
    """Return the rows (B, N + window - 1) of all windows, each of which begins one row on from the last."""
    index = window_index(valid, window)  # (B, N, window)
    return torch.cat((index[:, :, 0], index[:, -1, 1:]), dim=1)


def clamp_inside(index: Tensor, valid: Tensor) -> Tensor:
    """Return rows (B, R) of every clip, those outside the half replaced by the nearest inside.

    index : (1, R) rows, the same for all clips; valid : (B, T) bool
    """
    low = valid.int().argmax(1)  # (B,) first valid row
    high = valid.shape[1] - 1 - valid.flip(1).int().argmax(1)
    return index.expand(len(valid), -1).clamp(low[:, None], high[:, None])


def windows_of(rows: Tensor, valid: Tensor, window: int) -> Tensor:
    """Return the windows (B, N, window, dim) of rows (B, T, dim), see ``window_index``."""
    index = window_index(valid, window)
    return take_rows(rows, index.flatten(1)).view(*index.shape, -1)


def take_rows(rows: Tensor, index: Tensor) -> Tensor:
    """Return the rows (B, R, dim) of every clip that ``index`` (B, R) names, of rows (B, T, dim).

    By ``gather``, whose gradient is added up at once, where that of an index is sorted first.
    """
    return rows.gather(1, index[..., None].expand(-1, -1, rows.shape[2]))


def valid_windows(valid: Tensor, count: int) -> Tensor:
    """Return which of a clip's ``count`` windows lie in the half (B, N): centred in it, or the only one and near it.

    valid : (B, T) bool
    """
    return valid if count == valid.shape[1] else valid.any(1, keepdim=True)


class WindowTargets:
    """Mark the classes that occur in a window, background first; several may, background only if none does.

    window : frames of the window. A clip of this length is one window; a longer one holds a window centred on each
    of its frames, as in stride-1 inference.

    Returns ``classes`` (N, 1 + K) float32. After the pooling baselines of SoccerNet (Giancola et al., 2018).
    """

    def __init__(self, classes: int, window: int) -> None:
        self.classes, self.window = classes, window

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        row, spot, _ = self.find_spots(spots, frames)
        return {"classes": self.mark_classes(row, spots.label[spot], frames)}

    def count(self, frames: ClipFrames) -> int:
        """Return the number of windows N in a clip."""
        return 1 if frames.length == self.window else frames.length

    def find_spots(
        self, spots: Spots, frames: ClipFrames
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return each window (M,) that holds a spot, the spot (M,), and its frame within the window, a fraction."""
        whole, centred = np.array([frames.start]), np.arange(frames.length) + frames.start - self.window // 2
        first = whole if frames.length == self.window else centred
        # A window extends half a frame beyond its first and last row, so that an odd one is centred on its middle row.
        position = (spots.time - frames.offset) * frames.fps + (0.5 if self.window % 2 else 0.0)
        row, spot = np.nonzero((position >= first[:, None]) & (position < first[:, None] + self.window))
        return row, spot, position[spot] - first[row]

    def mark_classes(self, row: NDArray[np.int64], label: NDArray[np.int64], frames: ClipFrames) -> NDArray[np.float32]:
        """Return which classes occur in windows, background first, (N, 1 + K), for spots (M,) and their windows."""
        marked = np.zeros((self.count(frames), 1 + self.classes), np.float32)
        marked[row, 1 + label] = 1
        marked[:, 0] = ~marked.any(axis=1)
        return marked

    def class_prior(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return the expected fraction of windows that hold a spot, per class."""
        return counts * self.window / frames


class WindowHead(Head):
    """Classify which classes occur in every window: background and K sigmoids, trained with cross-entropy.

    window : frames of a window

    After the pooling baselines of SoccerNet (Giancola et al., 2018) and Zhou et al., 2021.
    """

    mixes = True

    def __init__(self, width: int, classes: int, window: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.targets: TargetMaker = WindowTargets(classes, window)
        self.classes = nn.Sequential(Dropout(dropout), nn.Linear(width, 1 + classes))

    def forward(self, windows: Tensor) -> Output:
        """Return logits (B, N, 1 + K) for windows (B, N, width)."""
        return Output(logits=self.classes(windows).float())

    def mix(self, targets: Targets, partners: Targets, weight: Tensor) -> Targets:
        """Return the targets of mixed clips."""
        return blend_all(targets, partners, weight)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss``; windows centred outside the half do not count."""
        logits = output["logits"]
        valid = valid_windows(batch["valid"], logits.shape[1])
        ones = torch.ones(logits.shape[-1], device=logits.device)
        return {"loss": losses.balanced_bce(logits, batch["targets"]["classes"], ones, ones, valid[..., None])}

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return the ``logits`` (B, N, K) without the background; windows have no displacement."""
        return {"logits": output["logits"][..., 1:]}
