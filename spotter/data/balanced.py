"""Clips in which every class, and background, is equally frequent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.types import Clip, HalfRecord


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
        self._background = self._background_frames()

    def __call__(self, count: int, rng: np.random.Generator) -> list[Clip]:
        """Return ``count`` clips."""
        classes = len(self._count)  # that have spots
        label = rng.integers(classes + 1, size=count)
        draw, position = (
            rng.random(count),
            rng.integers(self._spot_margin, self._clip_len - self._spot_margin, size=count),
        )
        centre = self._background[(draw * len(self._background)).astype(np.int64)]
        half = np.searchsorted(self._ends, centre, side="right")
        start = centre - self._begins[half] - self._clip_len // 2
        shows = label < classes
        drawn = label[shows]
        spot = self._first[drawn] + (draw[shows] * self._count[drawn]).astype(np.int64)
        half[shows], start[shows] = self._half[spot], self._frame[spot] - position[shows]
        return [Clip(int(h), int(s)) for h, s in zip(half, start, strict=True)]

    def _background_frames(self) -> NDArray[np.int64]:
        """Return the frames, counted through all halves, at which the centre of a clip without spots lies."""
        total = int(self._ends[-1]) if len(self._ends) else 0
        low = self._begins[self._half] + self._frame - (self._clip_len - 1 - self._clip_len // 2)
        low = np.clip(low, self._begins[self._half], self._ends[self._half])
        high = self._begins[self._half] + self._frame + self._clip_len // 2 + 1
        high = np.clip(high, low, self._ends[self._half])
        change = np.bincount(low, minlength=total + 1) - np.bincount(high, minlength=total + 1)
        empty = np.flatnonzero(np.cumsum(change)[:total] == 0)
        return empty if len(empty) else np.arange(total)
