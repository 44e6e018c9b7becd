"""From clip outputs on several ranks to whole halves, each stitched by one owner, in clip order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.inference.stitch import Stitcher
from spotter.io.scores import Scores
from spotter.types import Clip, HalfRecord

Piece = tuple[int, NDArray[np.float32], NDArray[np.float32] | None]  # first anchor, logits, displacement
Gather = Callable[[Any], list[Any]]


@dataclass
class _Open:
    """A half that is not whole yet: its owner stitches what comes, another rank keeps pieces for the owner."""

    missing: int
    stitcher: Stitcher | None
    pieces: list[Piece] = field(default_factory=list)


class HalfCollector:
    """Collect the clips of one rank and say when a half is whole.

    Clips come in the order of ``clips``, of which each rank sees a contiguous run. The owner of a half is the rank
    that sees its first clip; it alone stitches, always in clip order, so that any number of ranks gives the same bits.
    """

    def __init__(
        self,
        records: Sequence[HalfRecord],
        clips: Sequence[Clip],
        weights: NDArray[np.float64],
        upsample: int,
        fps: float,
        offset: float,
        blended: bool = True,
    ) -> None:
        self._records, self._weights, self._upsample, self._blended = records, weights, upsample, blended
        self._fps, self._offset = fps, offset
        self._count = np.bincount([clip.half for clip in clips], minlength=len(records))
        self._first: dict[int, int] = {}
        for clip in clips:
            self._first.setdefault(clip.half, clip.start)
        self._open: dict[int, _Open] = {}

    def add(
        self,
        halves: NDArray[np.int64],
        starts: NDArray[np.int64],
        logits: NDArray[np.float32],
        displacement: NDArray[np.float32] | None,
    ) -> Iterator[tuple[int, Scores]]:
        """Take a batch, logits and displacement (B, A, K); yield the halves that it completes."""
        for i, (half, start) in enumerate(zip(halves.tolist(), starts.tolist(), strict=True)):
            piece = (start * self._upsample, logits[i], None if displacement is None else displacement[i])
            if half not in self._open:
                owned = start == self._first[half]
                length = self._records[half].frames * self._upsample
                stitcher = Stitcher(length, self._weights, self._blended) if owned else None
                self._open[half] = _Open(int(self._count[half]), stitcher)
            yield from self._place(half, piece)

    def finish(self, gather: Gather) -> Iterator[tuple[int, Scores]]:
        """Send the pieces of halves that a border cut to their owners; yield what they complete.

        gather : returns the argument of every rank, in rank order
        """
        mine = {half: state.pieces for half, state in self._open.items() if state.stitcher is None}
        for sent in gather(mine):
            for half, pieces in sent.items():
                if half in self._open and self._open[half].stitcher is not None:
                    for piece in pieces:
                        yield from self._place(half, piece)

    @property
    def incomplete(self) -> list[int]:
        """Return the halves that this rank owns and that are not whole."""
        return [half for half, state in self._open.items() if state.stitcher is not None]

    def _place(self, half: int, piece: Piece) -> Iterator[tuple[int, Scores]]:
        state = self._open[half]
        if state.stitcher is None:
            state.pieces.append(piece)
            return
        state.stitcher.add(*piece)
        state.missing -= 1
        if state.missing == 0:
            del self._open[half]
            yield half, state.stitcher.result(self._fps, self._offset)
