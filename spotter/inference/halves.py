"""From clip outputs on several ranks to whole halves, each stitched by one rank, in clip order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spotter.inference.stitch import Stitcher, clip_weights
from spotter.settings import ClipConfig
from spotter.types import Arrays, Clip

Piece = tuple[int, Arrays]  # a clip's first anchor and its outputs, (L, D) each
Pieces = dict[int, list[Piece]]  # by index of the half


@dataclass
class _Unfinished:
    """Hold a half of which clips are missing: its owner has a stitcher, another rank keeps pieces for the owner."""

    missing: int
    stitcher: Stitcher | None
    pieces: list[Piece] = field(default_factory=list)


class HalfStitcher:
    """Stitch the clips of one rank and yield each half when it is whole.

    The owner of a half is the rank that runs its first clip; it alone stitches, always in clip order, so that any
    number of ranks gives the same bits. Halves are named by their index.

    lengths : frames of each half
    batches : the evaluation batches of every rank, see ``spotter.data.clips.batches``
    rank : the number of this one
    upsample : anchors per frame
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batches: Sequence[Sequence[Sequence[Clip]]],
        rank: int,
        clips: ClipConfig,
        upsample: int = 1,
    ) -> None:
        self._lengths, self._rank, self._upsample = lengths, rank, upsample
        self._weights, self._averaged = clip_weights(clips, upsample), clips.averaged
        self._world = len(batches)
        self._count = np.zeros(len(lengths), np.int64)
        self._owner: dict[int, int] = {}
        for number, run in enumerate(batches):
            for clip in (clip for batch in run for clip in batch):
                self._owner.setdefault(clip.half, number)
                self._count[clip.half] += 1
        self._unfinished: dict[int, _Unfinished] = {}

    def add(
        self, halves: NDArray[np.int64], starts: NDArray[np.int64], arrays: Mapping[str, NDArray[np.floating]]
    ) -> Iterator[tuple[int, Arrays]]:
        """Take a batch, (B,) indices and first frames and (B, L, D) arrays; yield the halves that it completes."""
        for i, (half, start) in enumerate(zip(halves.tolist(), starts.tolist(), strict=True)):
            if half not in self._unfinished:
                owned = self._owner[half] == self._rank
                length = self._lengths[half] * self._upsample
                stitcher = Stitcher(length, self._weights, self._averaged) if owned else None
                self._unfinished[half] = _Unfinished(int(self._count[half]), stitcher)
            piece = {name: array[i] for name, array in arrays.items()}
            yield from self._add(half, (start * self._upsample, piece))

    def outgoing(self) -> list[Pieces]:
        """Return, for every rank, the pieces of halves that it owns, of which this rank ran the rest."""
        outgoing: list[Pieces] = [{} for _ in range(self._world)]
        for half, state in self._unfinished.items():
            if state.stitcher is None:
                outgoing[self._owner[half]][half] = state.pieces
        return outgoing

    def receive(self, incoming: Sequence[Pieces]) -> Iterator[tuple[int, Arrays]]:
        """Take what every rank sent to this one, in rank order; yield the halves that it completes."""
        for pieces in incoming:
            for half, each in pieces.items():
                for piece in each:
                    yield from self._add(half, piece)

    @property
    def incomplete(self) -> list[int]:
        """Return the halves of this rank that are not whole."""
        return [half for half, state in self._unfinished.items() if state.stitcher is not None]

    def _add(self, half: int, piece: Piece) -> Iterator[tuple[int, Arrays]]:
        state = self._unfinished.get(half)
        if state is None:  # its owner's part of the run ended early
            return
        if state.stitcher is None:
            state.pieces.append(piece)
            return
        state.stitcher.add(*piece)
        state.missing -= 1
        if state.missing == 0:
            del self._unfinished[half]
            yield half, state.stitcher.result()
