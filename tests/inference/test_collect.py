"""Any number of ranks, halves and clips: the same bits as stitching alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.data.clips import batches, cover
from spotter.inference.collect import HalfCollector
from spotter.inference.stitch import Stitcher, triangle
from spotter.io.scores import Scores
from spotter.types import Clip, Half, HalfRecord

CLIP, CLASSES = 4, 2


def outputs(clips: list[Clip], upsample: int, seed: int) -> dict[Clip, tuple[np.ndarray, np.ndarray]]:
    """Return what a network says of each clip."""
    rng = np.random.default_rng(seed)
    shape = (CLIP * upsample, CLASSES)
    return {clip: (rng.normal(size=shape).astype("f4"), rng.normal(size=shape).astype("f4")) for clip in clips}


@settings(deadline=None, max_examples=80)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    stride=st.integers(1, CLIP),
    size=st.integers(1, 9),
    world=st.integers(1, 6),
    upsample=st.integers(1, 2),
    displaced=st.booleans(),
    seed=st.integers(0, 99),
)
def test_same_bits_for_any_number_of_ranks(
    lengths: list[int], stride: int, size: int, world: int, upsample: int, displaced: bool, seed: int
) -> None:
    """Each half comes out once, at one rank, as if one stitcher had seen its clips in order."""
    records = [HalfRecord(Half("game", index), length, None) for index, length in enumerate(lengths)]
    clips = [Clip(half, start) for half, length in enumerate(lengths) for start in cover(length, CLIP, stride)]
    said, weights = outputs(clips, upsample, seed), triangle(CLIP * upsample)

    found: dict[int, Scores] = {}
    collectors = [HalfCollector(records, clips, weights, upsample, 2.0, 0.5) for _ in range(world)]
    for rank, collector in enumerate(collectors):
        for batch in batches(clips, size, rank, world):
            if batch:
                half, start = np.array([clip[:2] for clip in batch]).T
                logits = np.stack([said[clip][0] for clip in batch])
                displacement = np.stack([said[clip][1] for clip in batch]) if displaced else None
                for index, scores in collector.add(half, start, logits, displacement):
                    assert index not in found
                    found[index] = scores

    sent: list[Any] = []
    for collector in collectors:  # every rank first gives what it has
        list(collector.finish(lambda mine: sent.append(mine) or []))
    for collector in collectors:
        for index, scores in collector.finish(lambda _: sent):
            assert index not in found
            found[index] = scores
        assert collector.incomplete == []

    assert sorted(found) == list(range(len(lengths)))
    for index, length in enumerate(lengths):
        alone = Stitcher(length * upsample, weights)
        for clip in clips:
            if clip.half == index:
                alone.add(clip.start * upsample, said[clip][0], said[clip][1] if displaced else None)
        expected, scores = alone.result(2.0, 0.5), found[index]
        assert scores.logits.tobytes() == expected.logits.tobytes()
        assert (scores.displacement is None) == (expected.displacement is None)
        if expected.displacement is not None and scores.displacement is not None:
            assert scores.displacement.tobytes() == expected.displacement.tobytes()
        assert (scores.fps, scores.offset) == (2.0, 0.5)


def test_half_that_ends_early_is_told() -> None:
    """A half of which clips are missing, as in a run of a few batches only, is incomplete."""
    records, clips = [HalfRecord(Half("game", 1), 8, None)], [Clip(0, 0), Clip(0, 4)]
    collector = HalfCollector(records, clips, triangle(CLIP), 1, 1.0, 0.0)
    logits = np.zeros((1, CLIP, CLASSES), "f4")
    assert list(collector.add(np.array([0]), np.array([0]), logits, None)) == []
    assert list(collector.finish(lambda mine: [mine])) == []
    assert collector.incomplete == [0]
