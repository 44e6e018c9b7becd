"""Clips in which every class, and background, is equally frequent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.types import HalfRecord


class BalancedClips:
    """Draw a class, background included, then a clip that shows one of its spots.

    clip_len : frames of a clip
    fps, offset : frame i of a half lies at ``offset + i / fps`` seconds
    spot_margin : frames that the spot keeps from both ends of its clip; within them it lies anywhere

    Classes without a spot are never drawn. A clip of background shows no spot, or lies anywhere where every clip shows
    one. After the sampling of CALF (Cioppa et al., 2020), and of mixup partners in ASTRA (Xarles et al., 2023).
    """

    def __init__(
        self,
        records: Sequence[HalfRecord],
        clip_len: int,
        fps: float,
        offset: float | Sequence[float] = 0.0,
        spot_margin: int = 0,
    ) -> None:
        if 2 * spot_margin >= clip_len:
            raise UserError(
                f"model.clips.spot_margin: {spot_margin} frames from both ends leave nothing of {clip_len}; lower it"
            )
        self._clip_len, self._spot_margin = clip_len, spot_margin
        lengths = np.array([record.frames for record in records], dtype=np.int64)
        self._ends = np.cumsum(lengths)
        self._begins = self._ends - lengths
        spots = [(record.spots.label, record.spots.time) for record in records if record.spots is not None]
        labels = np.concatenate([label for label, _ in spots]) if spots else np.zeros(0, np.int64)
        order = np.argsort(labels, kind="stable")
        half = np.repeat(np.arange(len(records)), [0 if r.spots is None else len(r.spots.time) for r in records])
        times = np.concatenate([time for _, time in spots]) if spots else np.zeros(0)
        self._half = half[order]  # of every spot, by class
        first = np.broadcast_to(np.asarray(offset, np.float64), len(records))[self._half]
        frame = np.floor((times[order] - first) * fps).astype(np.int64)
        self._frame = np.clip(frame, 0, lengths[self._half] - 1)  # a label may lie past the end of its half
        _, self._first, self._count = np.unique(labels[order], return_index=True, return_counts=True)
        run, length = self._background_runs()
        self._run_end = np.cumsum(length)
        self._run_shift = run - (self._run_end - length)  # from a frame's number in the background to its own

    def __call__(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the half and the first frame of each of ``count`` clips."""
        classes = len(self._count)  # that have spots
        label = rng.integers(classes + 1, size=count)
        draw, position = (
            rng.random(count),
            rng.integers(self._spot_margin, self._clip_len - self._spot_margin, size=count),
        )
        number = (draw * self._run_end[-1]).astype(np.int64)  # of a frame of background
        centre = number + self._run_shift[np.searchsorted(self._run_end, number, side="right")]
        half = np.searchsorted(self._ends, centre, side="right")
        start = centre - self._begins[half] - self._clip_len // 2
        shows = label < classes
        drawn = label[shows]
        spot = self._first[drawn] + (draw[shows] * self._count[drawn]).astype(np.int64)
        half[shows], start[shows] = self._half[spot], self._frame[spot] - position[shows]
        return half, start

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
