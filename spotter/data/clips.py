"""Which clips are shown: drawn at random for training, laid side by side for evaluation. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from spotter.errors import UserError
from spotter.settings import ClipConfig
from spotter.types import Clip

Draw = Callable[[int, np.random.Generator], list[Clip]]
SAMPLINGS = ("uniform", "tiles", "balanced")


def draw_uniform(lengths: NDArray[np.int64], clip_len: int, count: int, rng: np.random.Generator) -> list[Clip]:
    """Draw ``count`` clips uniformly over all frames; a clip may overhang either end by half of its length."""
    ends = np.cumsum(lengths)
    centre = rng.integers(ends[-1], size=count)
    half = np.searchsorted(ends, centre, side="right")
    start = centre - (ends - lengths)[half] - clip_len // 2
    return [Clip(int(h), int(s)) for h, s in zip(half, start, strict=True)]


def draw_tiles(lengths: NDArray[np.int64], clip_len: int, rng: np.random.Generator) -> list[Clip]:
    """Cut every half into tiles that do not overlap, from a random phase on, in random order."""
    phase = rng.integers(clip_len, size=len(lengths))
    clips = [
        Clip(half, int(start))
        for half, length in enumerate(lengths)
        for start in range(-int(phase[half]), int(length), clip_len)
    ]
    return [clips[i] for i in rng.permutation(len(clips))]


def cover(length: int, clip_len: int, stride: int, margin: int = 0) -> list[int]:
    """Return the starts of clips that cover a half, ``margin`` frames at both ends of a clip not counted."""
    last = length + margin - clip_len
    return [*range(-margin, last, stride), last] if last > -margin else [-margin]


def evaluation_clips(lengths: Sequence[int], clips: ClipConfig) -> list[Clip]:
    """Return the clips that cover halves of the given lengths, in frames, one half after the other."""
    return [
        Clip(half, start)
        for half, length in enumerate(lengths)
        for start in cover(length, clips.eval_len, clips.stride, clips.margin)
    ]


def batches(clips: Sequence[Clip], size: int, rank: int, world: int) -> list[list[Clip]]:
    """Return the evaluation batches of one rank: a contiguous run of the same list for any number of ranks.

    A rank for which no batch is left gets one empty batch, so that it takes part in the epoch like all others.
    """
    whole = [list(clips[i : i + size]) for i in range(0, len(clips), size)]
    return whole[rank * len(whole) // world : (rank + 1) * len(whole) // world] or [[]]


class EvaluationBatches(Sampler[list[Clip]]):
    """Lead a loader through a rank's evaluation batches, in order."""

    def __init__(self, run: Sequence[list[Clip]]) -> None:
        self._run = run

    def __len__(self) -> int:
        return len(self._run)

    def __iter__(self) -> Iterator[list[Clip]]:
        return iter(self._run)


class TrainingBatches(Sampler[list[Clip]]):
    """Draw one rank's training batches of an epoch from (seed, epoch): the same for any number of workers.

    sampling : ``uniform`` draws ``per_epoch`` clips anywhere, ``balanced`` as many by ``balanced``, and ``tiles`` shows
        a frame at most once, from a random phase
    epoch : asked for the current epoch whenever one begins
    balanced : draws clips in which every class is as frequent, see ``BalancedClips``
    partners : a batch holds a balanced clip for each of its ``batch_size`` own, in its second half
    Clips that do not fill a batch on every rank are left out.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        clip_len: int,
        sampling: str,
        per_epoch: int,
        batch_size: int,
        seed: int,
        epoch: Callable[[], int],
        rank: int = 0,
        world: int = 1,
        balanced: Draw | None = None,
        partners: bool = False,
    ) -> None:
        if sampling not in SAMPLINGS:
            raise UserError(f"model.clips.sampling: {sampling!r} is unknown: give one of {', '.join(SAMPLINGS)}")
        if balanced is None and (partners or sampling == "balanced"):
            raise ValueError("balanced clips are asked for, but nothing draws them")
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._clip_len, self._sampling, self._size = clip_len, sampling, batch_size
        self._seed, self._rank, self._world = seed, rank, world
        self._epoch, self._balanced, self._partners = epoch, balanced, partners
        # Tiles differ in number from phase to phase; what every phase surely has keeps epochs and ranks in step.
        clips = int(np.sum(-(-self._lengths // clip_len))) if sampling == "tiles" else per_epoch
        self._batches = clips // (batch_size * world)
        if self._batches == 0:
            raise UserError(
                f"an epoch of {clips} clips does not fill one batch of {batch_size} on each of {world} ranks; "
                "lower data.batch_size, or raise model.clips.per_epoch"
            )

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[Clip]]:
        rng = np.random.default_rng([self._seed, self._epoch()])
        count = self._batches * self._size * self._world
        mine = self._cropped(self._draw(count, rng), 1)[self._rank :: self._world]
        run = [mine[i : i + self._size] for i in range(0, len(mine), self._size)]
        if self._partners and self._balanced is not None:
            drawn = self._balanced(count, np.random.default_rng([self._seed, self._epoch(), 2]))
            theirs = self._cropped(drawn, 3)[self._rank :: self._world]
            run = [batch + theirs[i * self._size : (i + 1) * self._size] for i, batch in enumerate(run)]
        return iter(run)

    def _draw(self, count: int, rng: np.random.Generator) -> list[Clip]:
        if self._sampling == "balanced" and self._balanced is not None:
            return self._balanced(count, rng)
        if self._sampling == "uniform":
            return draw_uniform(self._lengths, self._clip_len, count, rng)
        return draw_tiles(self._lengths, self._clip_len, rng)[:count]

    def _cropped(self, clips: list[Clip], key: int) -> list[Clip]:
        crops = np.random.default_rng([self._seed, self._epoch(), key]).random((len(clips), 2)).tolist()
        return [clip._replace(crop=(x, y)) for clip, (x, y) in zip(clips, crops, strict=True)]
