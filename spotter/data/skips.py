"""Clips of damaged files that training goes on without, counted over all processes that read data."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Sequence

from spotter.types import Clip

log = logging.getLogger(__name__)
OTHERS = 20  # halves that are tried in place of damaged ones


class Skips:
    """Replace clips that cannot be read by others of the same batch, or else of another half, and count them."""

    def __init__(self) -> None:
        self._count = multiprocessing.Value("q", 0)
        self._told = 0
        self._named: set[str] = set()

    def replace(
        self, clips: Sequence[Clip], can_read: Callable[[Clip], bool], error: Exception, halves: int
    ) -> list[Clip]:
        """Return as many clips as were given, all of which can be read.

        halves : how many there are; the next ones give a clip where a batch has none
        Raises ``error`` where they have none either.
        """
        sound = [can_read(clip) for clip in clips]
        good = [clip for clip, read in zip(clips, sound, strict=True) if read]
        if not good:
            others = (Clip((clips[0].half + i) % halves, 0, clips[0].crop) for i in range(1, min(halves, OTHERS)))
            good = [clip for clip in [next(filter(can_read, others), None)] if clip is not None]
        if not good:
            raise error
        if str(error) not in self._named:
            self._named.add(str(error))
            log.warning("%s; its clips are skipped", error)
        with self._count.get_lock():
            self._count.value += sound.count(False)
        return [clip if read else good[i % len(good)] for i, (clip, read) in enumerate(zip(clips, sound, strict=True))]

    def say(self) -> None:
        """Log how many clips were skipped, if any were since this was last called."""
        count = self._count.value
        if count > self._told:
            log.warning("%d clips could not be read since the last line like this and were skipped, %d in all",
                        count - self._told, count)  # fmt: skip
            self._told = count
