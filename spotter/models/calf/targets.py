"""Targets of CALF: the time from every frame to the spot that governs it, and the spots of a clip in slots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.types import Arrays, ClipFrames, Spots


class ContextTargets:
    """Give every frame and class the time since its governing spot, and list the spots of a clip.

    clip_len : frames of every clip, as the network takes no other
    margins : per class four seconds, K1 < K2 < 0 < K3 < K4: how long before and after a spot it makes a difference
    slots : spots that are listed, the first in time where there are more, as in the original
    neutral : frames at both ends of a clip, which lack context: not trained on, and their spots are not listed

    Returns ``shift`` (T, K) float32, in seconds, within K1 … K4 (all that lies beyond is the same to the loss), and
    ``slots`` (slots, 2 + K) float32: 1 for a spot, its time as a fraction of the clip, and its class, one-hot.
    Spots between frames keep their exact time, where the original rounds down. After Cioppa et al., *A Context-Aware
    Loss Function for Action Spotting in Soccer Videos*, 2020.
    """

    def __init__(self, clip_len: int, margins: Sequence[Sequence[float]], slots: int = 15, neutral: int = 0) -> None:
        if 2 * neutral >= clip_len:
            raise UserError(
                f"model.head.neutral: {neutral} frames at both ends of clips of {clip_len} leave none; "
                "it is half of model.network.receptive_field"
            )
        self.margins = np.array([_margins(row) for row in margins], np.float64)  # (K, 4)
        self.slots, self.neutral = slots, neutral

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        clip_len, fps = frames.length, frames.fps
        time = np.arange(frames.start, frames.start + clip_len) / fps + frames.offset
        near = (spots.time > time[0] - self.margins[:, 3].max()) & (spots.time < time[-1] - self.margins[:, 0].min())
        since, until = neighbours(spots.time[near], spots.label[near], time, len(self.margins))
        shift = governing_shift(since, until, self.margins)
        frame = np.arange(clip_len)
        trained = (frame >= self.neutral) & (frame < clip_len - self.neutral)
        shift = np.where(trained[:, None], shift, self.margins[:, 1])  # at K2 there is no loss
        position = (spots.time - frames.offset) * fps - frames.start  # (N,) in frames
        inside = (position >= self.neutral) & (position < clip_len - self.neutral)
        fraction = np.minimum(position[inside] / (clip_len - 1), 1)
        return {"shift": shift.astype(np.float32), "slots": self._fill_slots(fraction, spots.label[inside])}

    def class_prior(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return the expected fraction of frames that should score high, per class."""
        return counts * self.margins[:, 2] * fps / frames

    def _fill_slots(self, fraction: NDArray[np.float64], label: NDArray[np.int64]) -> NDArray[np.float32]:
        order = np.argsort(fraction, kind="stable")[: self.slots]
        slots = np.zeros((self.slots, 2 + len(self.margins)), np.float32)
        rows = np.arange(len(order))
        slots[rows, 0] = 1
        slots[rows, 1] = fraction[order]
        slots[rows, 2 + label[order]] = 1
        return slots


def neighbours(
    time: NDArray[np.float64], label: NDArray[np.int64], frames: NDArray[np.float64], classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return seconds (T, K) since the last spot of each class and, negative, until the next; inf where there is none.

    time, label : (N,) of the spots
    frames : (T,) moments of the frames, in seconds; a spot at this moment is the last
    """
    passed = frames - time[:, None]  # (N, T)
    since = np.full((classes, len(frames)), np.inf)
    until = np.full_like(since, -np.inf)
    np.minimum.at(since, label, np.where(passed >= 0, passed, np.inf))
    np.maximum.at(until, label, np.where(passed < 0, passed, -np.inf))
    return since.T, until.T


def governing_shift(
    since: NDArray[np.float64], until: NDArray[np.float64], margins: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the shift (T, K) from whichever of the last and the next spot governs, kept within K1 … K4.

    The last one does up to K3, and the next one from K4 on. In between the last one does while the next lies beyond
    K1, or is further from governing: ``since`` has gone a smaller part of its way from K3 to K4 than ``until`` has
    from K2 back to K1.
    """
    first, second, third, last = margins.T
    gone, ahead = (since - third) / (last - third), (second - until) / (second - first)
    lasting = (since < third) | ((since < last) & ((until <= first) | (gone < ahead)))
    return np.clip(np.where(lasting, since, until), first, last)


def _margins(row: Sequence[float]) -> list[float]:
    numbers = [float(each) for each in row if isinstance(each, int | float)]
    if len(row) == 4 and len(numbers) == 4 and numbers[0] < numbers[1] < 0 < numbers[2] < numbers[3]:
        return numbers
    raise UserError(f"model.head.margins: expected four seconds K1 < K2 < 0 < K3 < K4, found {list(row)}")
