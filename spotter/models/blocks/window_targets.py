"""What a network should say of a window beside its classes: where in the window a spot lies."""

from __future__ import annotations

import numpy as np

from spotter.models.blocks.targets import WindowTargets
from spotter.types import Arrays, Spots


class OffsetTargets(WindowTargets):
    """Give every window one class, background first, and the place of its spot: of several the one nearest its centre.

    window : frames of the window, as in ``WindowTargets``

    Returns ``classes`` (N, 1 + K) float32, one-hot, ``offset`` (N,) float32, the spot's place in the window from 0 to
    1, 0 for background, and ``moment`` (1,) float32, for a clip that is one window the frame of the spot, counted from
    the clip's first; NaN for background and for longer clips. After RMS-Net (Tomei et al., 2021).
    """

    def __call__(self, spots: Spots, classes: int, start: int, clip_len: int, fps: float, offset: float) -> Arrays:
        row, spot, place = self.inside(spots, start, clip_len, fps, offset)
        # Of several values written to one cell the last stays: the nearest.
        far_first = np.argsort(-np.abs(place - self.window / 2), kind="stable")
        row, spot, place = row[far_first], spot[far_first], place[far_first]
        count = self.count(clip_len)
        label, share, moment = np.zeros(count, np.int64), np.zeros(count, np.float32), np.full(1, np.nan, np.float32)
        label[row] = 1 + spots.label[spot]
        share[row] = place / self.window
        if count == 1 and len(spot):
            moment[0] = (spots.time[spot[-1]] - offset) * fps - start
        return {"classes": np.eye(1 + classes, dtype=np.float32)[label], "offset": share, "moment": moment}


class PositionTargets(WindowTargets):
    """Mark the classes that occur in a window, and the positions in it that hold a spot of any class.

    window : frames of the window, as in ``WindowTargets``

    Returns ``classes`` (N, 1 + K) and ``positions`` (N, window), both float32. The window is cut into as many equal
    parts as it has frames; those of an odd window are centred on its frames. After STE-v2 (Darwish et al.).
    """

    def __call__(self, spots: Spots, classes: int, start: int, clip_len: int, fps: float, offset: float) -> Arrays:
        row, spot, place = self.inside(spots, start, clip_len, fps, offset)
        positions = np.zeros((self.count(clip_len), self.window), np.float32)
        positions[row, np.minimum(place.astype(np.int64), self.window - 1)] = 1  # a sum may round up to the end
        return {"classes": self.occur(row, spots.label[spot], clip_len, classes), "positions": positions}
