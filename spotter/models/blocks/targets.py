"""What a network should say of a clip: pure functions from the spots of a half to arrays per anchor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.types import Arrays, Spots


class DenseTargets:
    """Mark every anchor near a spot, and say how far away the nearest spot of its class is.

    radius : seconds around a spot within which an anchor's confidence should be 1
    displacement_radius : seconds around a spot within which an anchor's displacement is learned
    upsample : anchors per frame

    Returns ``confidence`` (A, K) float32, ``displacement`` (A, K) float32 in anchors, and ``near`` (A, K) bool where
    the displacement counts. After Soares and Shah, *Action Spotting using Dense Detection Anchors Revisited*, 2022.
    """

    def __init__(self, radius: float, displacement_radius: float, upsample: int = 1) -> None:
        self.radius, self.displacement_radius, self.upsample = radius, displacement_radius, upsample

    def __call__(self, spots: Spots, classes: int, start: int, clip_len: int, fps: float, offset: float) -> Arrays:
        rate = fps * self.upsample
        anchors = np.arange(start * self.upsample, (start + clip_len) * self.upsample)
        position = (spots.time - offset) * rate
        reach = max(self.radius, self.displacement_radius) * rate
        inside = (position >= anchors[0] - reach) & (position <= anchors[-1] + reach)
        distance = nearest(position[inside], spots.label[inside], anchors, classes)
        near = np.abs(distance) <= self.displacement_radius * rate
        return {
            "confidence": (np.abs(distance) <= self.radius * rate).astype(np.float32),
            "displacement": np.where(near, distance, 0).astype(np.float32),
            "near": near,
        }

    def rates(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return the expected share of anchors within ``radius`` of a spot, per class."""
        return counts * (2 * self.radius * fps) / frames


class WindowTargets:
    """Mark the classes that occur in a window, background first; several may, background only if none does.

    window : frames of the window. A clip of this length is one window; a longer one holds a window centred on each
    of its frames, as in stride-1 inference.

    Returns ``classes`` (N, 1 + K) float32. After the pooling baselines of SoccerNet (Giancola et al., 2018).
    """

    def __init__(self, window: int) -> None:
        self.window = window

    def __call__(self, spots: Spots, classes: int, start: int, clip_len: int, fps: float, offset: float) -> Arrays:
        row, spot, _ = self.inside(spots, start, clip_len, fps, offset)
        return {"classes": self.occur(row, spots.label[spot], clip_len, classes)}

    def count(self, clip_len: int) -> int:
        """Return the number of windows N in a clip."""
        return 1 if clip_len == self.window else clip_len

    def inside(
        self, spots: Spots, start: int, clip_len: int, fps: float, offset: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return every window (M,) that holds a spot, the spot (M,), and its place, frames from the window's start."""
        first = np.array([start]) if clip_len == self.window else np.arange(clip_len) + start - self.window // 2
        # A window reaches half a frame beyond its first and last row, so that an odd one is centred on its middle row.
        position = (spots.time - offset) * fps + (0.5 if self.window % 2 else 0.0)
        row, spot = np.nonzero((position >= first[:, None]) & (position < first[:, None] + self.window))
        return row, spot, position[spot] - first[row]

    def occur(
        self, row: NDArray[np.int64], label: NDArray[np.int64], clip_len: int, classes: int
    ) -> NDArray[np.float32]:
        """Return which classes occur in windows, background first, (N, 1 + K), for spots (M,) and their windows."""
        marked = np.zeros((self.count(clip_len), 1 + classes), np.float32)
        marked[row, 1 + label] = 1
        marked[:, 0] = ~marked.any(axis=1)
        return marked

    def rates(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return the expected share of windows that hold a spot, per class."""
        return counts * self.window / frames


class FrameTargets:
    """Give every frame one class, background first; a spot takes the frames around its nearest, later spots win.

    dilate : frames before and after the nearest that a spot takes, too

    Returns ``classes`` (T, 1 + K) float32, one-hot. After Hong et al., *Spotting Temporally Precise Events*, 2022.
    """

    def __init__(self, dilate: int = 0) -> None:
        if not isinstance(dilate, int) or dilate < 0:
            raise UserError(f"model.targets.dilate: expected a whole number of at least 0, found {dilate!r}")
        self.dilate = dilate

    def __call__(self, spots: Spots, classes: int, start: int, clip_len: int, fps: float, offset: float) -> Arrays:
        order = np.argsort(spots.time, kind="stable")
        # To the nearest frame; the original rounds down, by which every spot comes half a frame early on average.
        frame = np.floor((spots.time[order] - offset) * fps + 0.5).astype(np.int64) - start
        label = np.zeros(clip_len, np.int64)
        near = (frame >= -self.dilate) & (frame < clip_len + self.dilate)
        for at, own in zip(frame[near], spots.label[order][near], strict=True):
            label[max(0, at - self.dilate) : at + self.dilate + 1] = 1 + own
        return {"classes": np.eye(1 + classes, dtype=np.float32)[label]}

    def rates(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return the expected share of frames of each class."""
        return counts * (2 * self.dilate + 1) / frames


def nearest(
    position: NDArray[np.float64], label: NDArray[np.int64], anchors: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Return the signed distance (A, K) from every anchor to the nearest spot of every class, inf where there is none.

    position : (N,) of the spots, in anchors
    label : (N,) of the spots
    """
    out = np.full((len(anchors), classes), np.inf)
    distance = position - anchors[:, None]  # (A, N)
    far_first = np.argsort(-np.abs(distance), axis=1, kind="stable")
    # Of several values written to one cell the last stays: the nearest.
    out[np.arange(len(anchors))[:, None], label[far_first]] = np.take_along_axis(distance, far_first, axis=1)
    return out
