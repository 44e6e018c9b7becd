"""What CALF is trained on: how far every frame is from the spot that governs it, and the spots of a clip in slots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.types import Arrays, Spots


class ContextTargets:
    """Give every frame and class the time since its governing spot, and list the spots of a clip.

    clip_len : frames of every clip, as the network knows no other
    margins : per class four seconds, K1 < K2 < 0 < K3 < K4: how long before and after a spot it makes a difference
    slots : spots that are listed, the first in time where there are more, as in the original
    neutral : frames at both ends of a clip, which lack context, of which nothing is asked; their spots are not listed

    Returns ``shift`` (T, K) float32, in seconds, within K1 … K4 (all that lies beyond is the same to the loss), and
    ``slots`` (slots, 2 + K) float32: 1 where there is a spot, its time as a share of the clip, and its class, one-hot.
    Spots between frames keep their exact time, where the original rounds down. After Cioppa et al., *A Context-Aware
    Loss Function for Action Spotting in Soccer Videos*, 2020.
    """

    def __init__(self, clip_len: int, margins: Sequence[Sequence[float]], slots: int = 15, neutral: int = 0) -> None:
        if 2 * neutral >= clip_len:
            said = f"{neutral} frames at both ends of clips of {clip_len} leave none"
            raise UserError(f"model.targets.neutral: {said}; it is half of model.network.receptive_field")
        self.margins = np.array([_margins(row) for row in margins], np.float64)  # (K, 4)
        self.slots, self.neutral = slots, neutral

    def __call__(self, spots: Spots, classes: int, start: int, clip_len: int, fps: float, offset: float) -> Arrays:
        if len(self.margins) != classes:
            said = f"{len(self.margins)} rows for the {classes} classes of the task"
            raise UserError(f"model.targets.margins: {said}; give each class its four seconds")
        frames = np.arange(start, start + clip_len) / fps + offset
        near = (spots.time > frames[0] - self.margins[:, 3].max()) & (
            spots.time < frames[-1] - self.margins[:, 0].min()
        )
        shift = governing(*neighbours(spots.time[near], spots.label[near], frames, classes), self.margins)
        frame = np.arange(clip_len)
        asked = (frame >= self.neutral) & (frame < clip_len - self.neutral)
        # Between K2 and 0 nothing is asked.
        shift = np.where(asked[:, None], shift, self.margins[:, 1] / 2)
        position = (spots.time - offset) * fps - start  # (N,) in frames
        inside = (position >= self.neutral) & (position < clip_len - self.neutral)
        share = np.minimum(position[inside] / (clip_len - 1), 1)
        return {"shift": shift.astype(np.float32), "slots": self._listed(share, spots.label[inside], classes)}

    def rates(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return the expected share of frames of which a high score is asked, per class."""
        return counts * self.margins[:, 2] * fps / frames

    def _listed(self, share: NDArray[np.float64], label: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
        order = np.argsort(share, kind="stable")[: self.slots]
        listed = np.zeros((self.slots, 2 + classes), np.float32)
        rows = np.arange(len(order))
        listed[rows, 0] = 1
        listed[rows, 1] = share[order]
        listed[rows, 2 + label[order]] = 1
        return listed


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


def governing(
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
    raise UserError(f"model.targets.margins: expected four seconds K1 < K2 < 0 < K3 < K4, found {list(row)}")
