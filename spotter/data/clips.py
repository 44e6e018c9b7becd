"""The clips of an epoch: drawn at random for training, as sliding windows for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from spotter.checks import check_choice
from spotter.errors import UserError
from spotter.settings import ClipConfig
from spotter.types import Clip

Places = tuple[NDArray[np.int64], NDArray[np.int64]]  # the half and the first frame of each of many clips
Draw = Callable[[int, np.random.Generator], Places]  # that many clips
SAMPLINGS = ("uniform", "non_overlapping", "balanced", "whole")


def draw_uniform(lengths: NDArray[np.int64], clip_len: int, count: int, rng: np.random.Generator) -> Places:
    """Draw ``count`` clips uniformly over all frames; a clip may overhang either end by half of its length."""
    ends = np.cumsum(lengths)
    centre = rng.integers(ends[-1], size=count)
    half = np.searchsorted(ends, centre, side="right")
    return half, centre - (ends - lengths)[half] - clip_len // 2


def draw_non_overlapping(lengths: NDArray[np.int64], clip_len: int, rng: np.random.Generator) -> Places:
    """Cut every half into clips that do not overlap, from a random first frame on; return them in random order."""
    phase = rng.integers(clip_len, size=len(lengths))
    counts = -(-(lengths + phase) // clip_len)
    half = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(half)) - np.repeat(np.cumsum(counts) - counts, counts)  # within its half
    order = rng.permutation(len(half))
    return half[order], (number * clip_len - phase[half])[order]


def window_starts(length: int, clip_len: int, stride: int, margin: int = 0) -> list[int]:
    """Return the starts of sliding windows over a half; the ``margin`` at both ends of a clip serves as context."""
    last = length + margin - clip_len
    return [*range(-margin, last, stride), last] if last > -margin else [-margin]


def evaluation_clips(lengths: Sequence[int], clips: ClipConfig) -> list[Clip]:
    """Return the clips that cover halves of the given lengths, in frames, one half after the other."""
    return [
        Clip(half, start)
        for half, length in enumerate(lengths)
        for start in window_starts(length, clips.eval_len, clips.stride, clips.margin)
    ]


def batches(clips: Sequence[Clip], size: int, rank: int, world: int) -> list[list[Clip]]:
    """Return the evaluation batches of one rank: a contiguous run of the same list for any number of ranks.

    A rank for which no batch is left gets one empty batch, so that it takes part in the epoch like all others.
    """
    whole = [list(clips[i : i + size]) for i in range(0, len(clips), size)]
    return whole[rank * len(whole) // world : (rank + 1) * len(whole) // world] or [[]]


class EvaluationBatches(Sampler[list[Clip]]):
    """Give a loader the evaluation batches of a rank, in order."""

    def __init__(self, run: Sequence[list[Clip]]) -> None:
        self._run = run

    def __len__(self) -> int:
        return len(self._run)

    def __iter__(self) -> Iterator[list[Clip]]:
        return iter(self._run)


class TrainingBatches(Sampler[list[Clip]]):
    """Draw one rank's training batches of an epoch from (seed, epoch): the same for any number of workers.

    lengths : frames of each half
    clips : ``sampling`` is how they are drawn: ``uniform`` draws ``per_epoch`` clips anywhere, ``balanced`` as many by
        ``balanced``, ``whole`` as many halves, each from its start, and ``non_overlapping`` cuts halves into clips side
        by side. With ``balanced_mixup`` a batch has a balanced clip as mixup partner for each of its ``batch_size``
        clips, in its second half
    batch_size : clips of a batch, of which each rank has an equal part
    epoch : returns the number of the epoch that begins
    balanced : draws clips in which every class is equally frequent, see ``BalancedClips``

    Together the ranks see in every step what one rank alone would. Clips that do not fill a batch are left out. Raises
    UserError where they do not fill one, and for a batch that has no equal parts.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        clips: ClipConfig,
        batch_size: int,
        seed: int,
        epoch: Callable[[], int],
        balanced: Draw | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        check_choice("model.clips.sampling", clips.sampling, SAMPLINGS)
        if balanced is None and clips.draws_balanced:
            raise ValueError("balanced clips are wanted, but nothing draws them")
        self._lengths, self._clips = np.asarray(lengths, dtype=np.int64), clips
        if batch_size % world:
            raise UserError(
                f"data.batch_size: {batch_size} clips do not spread evenly over {world} devices; "
                f"give a multiple of {world}, or other trainer.devices"
            )
        self._size, self._seed, self._rank, self._world = batch_size // world, seed, rank, world
        self._epoch, self._balanced = epoch, balanced
        # The number of non-overlapping clips differs from epoch to epoch; the least keeps epochs and ranks in step.
        least = int(np.sum(-(-self._lengths // clips.clip_len)))
        count = least if clips.sampling == "non_overlapping" else clips.per_epoch
        self._batches = count // batch_size
        if self._batches == 0:
            raise UserError(
                f"an epoch of {count} clips does not fill one batch of {batch_size}; "
                "lower data.batch_size, or raise model.clips.per_epoch"
            )

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[Clip]]:
        count = self._batches * self._size * self._world
        run = self._cut(self._draw(count, self._generator()), crop_key=1)
        if not self._clips.balanced_mixup or self._balanced is None:
            return run
        partners = self._cut(self._balanced(count, self._generator(2)), crop_key=3)
        return (batch + partner for batch, partner in zip(run, partners, strict=True))

    def _draw(self, count: int, rng: np.random.Generator) -> Places:
        if self._clips.sampling == "balanced" and self._balanced is not None:
            return self._balanced(count, rng)
        if self._clips.sampling == "whole":
            return rng.integers(len(self._lengths), size=count), np.zeros(count, np.int64)
        if self._clips.sampling == "uniform":
            return draw_uniform(self._lengths, self._clips.clip_len, count, rng)
        half, start = draw_non_overlapping(self._lengths, self._clips.clip_len, rng)
        return half[:count], start[:count]

    def _cut(self, places: Places, crop_key: int) -> Iterator[list[Clip]]:
        """Return this rank's batches, each clip with the place of its crop; an epoch may have millions of clips."""
        crops = self._generator(crop_key).random((len(places[0]), 2))
        half, start, crop = (each[self._rank :: self._world] for each in (*places, crops))

        def batch(first: int) -> list[Clip]:
            part = slice(first, first + self._size)
            rows = zip(half[part].tolist(), start[part].tolist(), crop[part].tolist(), strict=True)
            return [Clip(h, s, (x, y)) for h, s, (x, y) in rows]

        return map(batch, range(0, len(half), self._size))

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._epoch(), *key])
