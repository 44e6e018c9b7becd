"""Any number of ranks, halves and clips: the same bits as stitching alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.data.clips import batches, evaluation_clips
from spotter.inference.halves import HalfStitcher
from spotter.inference.stitch import Stitcher, clip_weights
from spotter.settings import ClipConfig
from spotter.types import Arrays, Clip

CLIP, CLASSES = 4, 2


def outputs(clips: list[Clip], names: list[str], upsample: int, seed: int) -> dict[Clip, Arrays]:
    """Return random outputs of each clip."""
    rng = np.random.default_rng(seed)
    shape = (CLIP * upsample, CLASSES)
    return {clip: {name: rng.normal(size=shape).astype("f4") for name in names} for clip in clips}


@settings(deadline=None, max_examples=80)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    overlap=st.sampled_from([0.0, 0.25, 0.5, 0.75]),
    size=st.integers(1, 9),
    world=st.integers(1, 6),
    upsample=st.integers(1, 2),
    names=st.sampled_from([["logits"], ["logits", "displacement"], ["features"]]),
    seed=st.integers(0, 99),
)
def test_same_bits_for_any_number_of_ranks(
    lengths: list[int], overlap: float, size: int, world: int, upsample: int, names: list[str], seed: int
) -> None:
    """Each half comes out once, at one rank, as if one stitcher had seen its clips in order."""
    config = ClipConfig(CLIP, overlap=overlap)
    clips = evaluation_clips(lengths, config)
    made = outputs(clips, names, upsample, seed)
    parts = [batches(clips, size, rank, world) for rank in range(world)]
    ranks = [HalfStitcher(lengths, parts, rank, config, upsample) for rank in range(world)]

    found: dict[int, Arrays] = {}
    for rank, stitcher in enumerate(ranks):
        for batch in (batch for batch in parts[rank] if batch):
            half, start = np.array([clip[:2] for clip in batch]).T
            arrays = {name: np.stack([made[clip][name] for clip in batch]) for name in names}
            for index, whole in stitcher.add(half, start, arrays):
                assert index not in found
                found[index] = whole

    sent = [stitcher.outgoing() for stitcher in ranks]
    for rank, stitcher in enumerate(ranks):
        for index, whole in stitcher.receive([outgoing[rank] for outgoing in sent]):
            assert index not in found
            found[index] = whole
        assert stitcher.incomplete == []

    assert sorted(found) == list(range(len(lengths)))
    for index, length in enumerate(lengths):
        alone = Stitcher(length * upsample, clip_weights(config, upsample), config.averaged)
        for clip in clips:
            if clip.half == index:
                alone.add(clip.start * upsample, made[clip])
        expected = alone.result()
        assert {name: array.tobytes() for name, array in found[index].items()} == {
            name: array.tobytes() for name, array in expected.items()
        }


def test_half_that_ends_early_is_incomplete() -> None:
    """A half of which clips are missing, as in a run of a few batches only."""
    stitcher = HalfStitcher([8], [[[Clip(0, 0)], [Clip(0, 4)]]], 0, ClipConfig(CLIP))
    assert list(stitcher.add(np.array([0]), np.array([0]), {"logits": np.zeros((1, CLIP, CLASSES))})) == []
    assert list(stitcher.receive(stitcher.outgoing())) == []
    assert stitcher.incomplete == [0]
