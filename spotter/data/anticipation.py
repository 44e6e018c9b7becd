"""Clips of ball action anticipation as sequences of their own: the end of each is not shown, but expected.

A clip is a ``Half`` named ``<game>/clip-<half>-<start>``, in whole seconds, and numbered 1; a half of another name is a
clip itself. Times count from the start of the clip, whatever part of it is seen.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch.nn import functional as F

from spotter.data.games import find_halves
from spotter.data.parts import PartSource
from spotter.data.source import Inputs, InputSpec, Source
from spotter.io.anticipation import OBSERVED, SECONDS, WINDOW, ClipOf
from spotter.tasks import Task
from spotter.types import Clip, Half, HalfRecord

log = logging.getLogger(__name__)


class AnticipationSource(PartSource):
    """Read clips whose last ``WINDOW`` seconds are hidden: zero, as frames outside of a half are.

    whole : reads the halves that clips are cut from
    seconds : from the first frame that is seen to the end of the clip; 35 shows all of the ``OBSERVED`` seconds

    Raises UserError for other lengths, and for features of several rates.
    """

    def __init__(self, whole: Source, seconds: float = SECONDS) -> None:
        super().__init__(whole)
        self._spec = whole.spec.of_clips(seconds)
        self._seconds = float(seconds)

    @property
    def spec(self) -> InputSpec:
        """Return the description of the input, and how long clips are."""
        return self._spec

    def whole_half(self, half: Half) -> Half:
        """Return the half that a clip is cut from."""
        return ClipOf.of(half).half

    def offset(self, half: Half) -> float:
        """Return the seconds from the start of the clip to its first frame that is seen."""
        part = ClipOf.of(half)
        return self.whole.offset(part.half) + self._first(part) / self.fps - part.start

    def length(self, half: Half) -> int:
        """Return the number of frames, hidden ones included: the same for every clip."""
        return max(1, round(self._seconds * self.fps))

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Return what the source of the halves reads, zero from the first hidden frame on."""
        parts = [ClipOf.of(halves[clip.half]) for clip in clips]
        seen = [self._seen(halves[clip.half]) - clip.start for clip in clips]
        count = min(clip_len, max([1, *seen]))  # what is not seen is not decoded
        moved = [
            clip._replace(half=number, start=clip.start + self._first(part))
            for number, (clip, part) in enumerate(zip(clips, parts, strict=True))
        ]
        inputs, phase = self.whole.read([part.half for part in parts], moved, count)
        for name, rows in inputs.items():
            inputs[name] = F.pad(rows, (0, 0) * (rows.ndim - 2) + (0, clip_len - count))
            for row, frames in enumerate(seen):
                inputs[name][row, max(0, frames) :] = 0
        return inputs, phase

    def video(self, half: Half) -> Path | None:
        """Return nothing: times of a clip are not those of a video."""
        return None

    def cut(self, records: Sequence[HalfRecord], step: float = WINDOW) -> list[HalfRecord]:
        """Return the clips of whole halves, the next ``step`` seconds later; a half that is no longer is one clip."""
        clips = []
        for record in records:
            first = self.whole.offset(record.half)
            spare = first + record.frames / self.fps - SECONDS
            if spare < math.floor(first):  # not even one clip and what comes after it: it is a clip
                clips.append(HalfRecord(record.half, self.length(record.half), record.spots))
                continue
            for start in np.arange(math.floor(first), spare + 1e-6, step).astype(np.int64).tolist():
                part = ClipOf(record.half, start)
                spots = None if record.spots is None else part.cut(record.spots)
                clips.append(HalfRecord(part.name, self.length(part.name), spots))
        return clips

    def _first(self, part: ClipOf) -> int:
        """Return the frame of its half with which a clip begins to be seen."""
        start = part.start + SECONDS - self._seconds - self.whole.offset(part.half)
        return math.ceil(start * self.fps - 1e-6)

    def _seen(self, half: Half) -> int:
        """Return how many frames of a clip are seen."""
        return math.ceil((OBSERVED - self.offset(half)) * self.fps - 1e-6)


def find_clips(
    root: str | Path | None,
    split: str,
    games: Sequence[str],
    task: Task,
    source: AnticipationSource,
    labels: str = "required",
    allow_missing: bool = False,
    skip_damaged: bool = False,
    step: float = WINDOW,
) -> list[HalfRecord]:
    """Return the clips of a split, listed ones or such that are cut from matches; see ``find_halves``.

    step : seconds from a clip of a match to the next
    """
    halves = find_halves(root, split, games, task, source.whole, labels, allow_missing, skip_damaged)
    clips = source.cut(halves, step)
    log.info("%s: %d clips of %d matches or clips", split, len(clips), len(halves))
    return clips
