"""Clips in which every class, and background, is equally frequent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.types import HalfPredictions, HalfRecord, Spots


class BalancedClips:
    """Draw a class, background included, then a clip that shows one of its spots.

    clip_len : frames of a clip
    fps, offset : frame i of a half lies at ``offset + i / fps`` seconds
    spot_margin : frames that the spot keeps from both ends of its clip; within them it lies anywhere
    predicted : of every half, by a model that has not seen it: around these, background is shown more often, by their
        confidence

    Classes without a spot are never drawn. A clip of background shows no spot, or lies anywhere where every clip shows
    one. After the sampling of CALF (Cioppa et al., 2020), of mixup partners in ASTRA (Xarles et al., 2023), and by
    out-of-fold predictions of Baikulov, 2023.
    """

    def __init__(
        self,
        records: Sequence[HalfRecord],
        clip_len: int,
        fps: float,
        offset: float | Sequence[float] = 0.0,
        spot_margin: int = 0,
        predicted: Sequence[HalfPredictions] | None = None,
    ) -> None:
        if 2 * spot_margin >= clip_len:
            raise UserError(
                f"model.clips.spot_margin: {spot_margin} frames from both ends leave nothing of {clip_len}; lower it"
            )
        self._clip_len, self._spot_margin = clip_len, spot_margin
        lengths = np.array([record.frames for record in records], dtype=np.int64)
        self._ends = np.cumsum(lengths)
        self._begins = self._ends - lengths
        facts = lengths, fps, np.broadcast_to(np.asarray(offset, np.float64), len(records))
        spots = [record.spots or Spots.empty() for record in records]
        labels = np.concatenate([np.zeros(0, np.int64), *(each.label for each in spots)])
        order = np.argsort(labels, kind="stable")
        self._half, self._frame = (each[order] for each in _places([each.time for each in spots], *facts))  # by class
        _, self._first, self._count = np.unique(labels[order], return_index=True, return_counts=True)
        run, length = self._background_runs()
        self._run_end = np.cumsum(length)
        self._run_shift = run - (self._run_end - length)  # from a frame's number in the background to its own
        found = predicted or []
        self._hard_half, self._hard_frame = _places([each.time for each in found], *facts)
        confidence = np.concatenate([np.zeros(0), *(each.confidence for each in found)])
        self._hard_end = np.cumsum(self._hardness(confidence, run, length))

    def __call__(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the half and the first frame of each of ``count`` clips."""
        classes = len(self._count)  # that have spots
        label = rng.integers(classes + 1, size=count)
        draw, position = (
            rng.random(count),
            rng.integers(self._spot_margin, self._clip_len - self._spot_margin, size=count),
        )
        frames, hard = self._run_end[-1], self._hard_end[-1] if len(self._hard_end) else 0.0
        place = draw * (frames + hard)
        number = np.minimum(place, frames - 1).astype(np.int64)  # of a frame of background
        centre = number + self._run_shift[np.searchsorted(self._run_end, number, side="right")]
        half = np.searchsorted(self._ends, centre, side="right")
        start = centre - self._begins[half] - self._clip_len // 2
        shows = label < classes
        drawn = label[shows]
        spot = self._first[drawn] + (draw[shows] * self._count[drawn]).astype(np.int64)
        half[shows], start[shows] = self._half[spot], self._frame[spot] - position[shows]
        taken = ~shows & (place >= frames)
        which = np.searchsorted(self._hard_end, place[taken] - frames, side="right").clip(max=len(self._hard_end) - 1)
        half[taken], start[taken] = self._hard_half[which], self._hard_frame[which] - position[taken]
        return half, start

    def _hardness(
        self, confidence: NDArray[np.float64], run: NDArray[np.int64], length: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return how many frames of background each prediction counts as, beside those that it lies on.

        A frame that shows a spot weighs 1, all of background together as much as all of these, and a frame around a
        prediction its confidence, if that is more. What no clip shows without showing a spot, too, counts as nothing.
        """
        width = self._clip_len - 2 * self._spot_margin  # frames at which a clip shows the same spot
        usual = max(1, len(self._frame)) * width / length.sum()
        centre = self._begins[self._hard_half] + self._hard_frame + self._clip_len // 2  # of clips that show it, below
        low, high = centre - (self._clip_len - self._spot_margin - 1), centre - self._spot_margin
        at = np.searchsorted(run, low, side="right") - 1
        inside = (at >= 0) & (high < run[at] + length[at])
        return np.where(inside, width * np.maximum(0, np.nan_to_num(confidence) / usual - 1), 0)

    def _background_runs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where runs of frames begin at which the centre of a clip without spots lies, and their lengths.

        Frames are counted through all halves. Data sets have more than can be listed one by one.
        """
        total = int(self._ends[-1]) if len(self._ends) else 0
        begin, end = self._begins[self._half], self._ends[self._half]
        low = np.clip(begin + self._frame - (self._clip_len - 1 - self._clip_len // 2), begin, end)
        high = np.clip(begin + self._frame + self._clip_len // 2 + 1, low, end)
        order = np.argsort(low, kind="stable")
        first = np.concatenate([[0], np.maximum.accumulate(high[order])]).astype(np.int64)
        length = np.concatenate([low[order], [total]]) - first
        if not (length > 0).any():
            return np.zeros(1, np.int64), np.array([total])
        return first[length > 0], length[length > 0]


def _places(
    times: Sequence[NDArray[np.float64]], lengths: NDArray[np.int64], fps: float, offset: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the half, and the frame in it, of all times, which are given half by half."""
    half = np.repeat(np.arange(len(times)), [len(time) for time in times])
    frame = np.floor((np.concatenate([np.zeros(0), *times]) - offset[half]) * fps).astype(np.int64)
    return half, np.clip(frame, 0, lengths[half] - 1)  # a label may lie past the end of its half
