"""Clips for evaluation cover every frame, the same for any number of ranks; those for training are reproducible."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spotter.data.clips import EvaluationBatches, TrainingBatches, batches, window_starts
from spotter.errors import UserError
from spotter.settings import ClipConfig
from spotter.types import Clip

LENGTHS = [50, 3, 128, 64]


@given(st.integers(1, 300), st.integers(1, 40), st.data())
def test_every_frame_is_counted_by_a_clip(length: int, clip_len: int, data: st.DataObject) -> None:
    margin = data.draw(st.integers(0, (clip_len - 1) // 2))
    stride = data.draw(st.integers(1, clip_len - 2 * margin))
    starts = window_starts(length, clip_len, stride, margin)
    seen = np.zeros(length, int)
    for start in starts:
        seen[max(0, start + margin) : max(0, start + clip_len - margin)] += 1
    assert seen.all()
    assert all(0 < later - earlier <= stride for earlier, later in pairwise(starts))
    assert starts[0] == -margin
    assert len(starts) <= 1 + -(-length // stride), "no clip is run in vain"


@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 8))
def test_ranks_share_one_list_of_batches(count: int, size: int, world: int) -> None:
    clips = [Clip(i // 7, i % 7) for i in range(count)]
    alone = batches(clips, size, 0, 1)
    shares = [batches(clips, size, rank, world) for rank in range(world)]
    assert [batch for share in shares for batch in share if batch] == [batch for batch in alone if batch]
    assert [clip for batch in alone for clip in batch] == clips
    assert all(len(batch) == size for batch in alone[:-1]), "batches are whole whoever runs them"
    assert all(share == [[]] or all(share) for share in shares), "only a rank without work has an empty batch, one"
    work = [sum(map(bool, share)) for share in shares]
    assert max(work) - min(work) <= 1


def test_a_loader_is_led_through_the_run_in_order() -> None:
    run = [[Clip(0, 0), Clip(0, 1)], [Clip(1, 0)]]
    sampler = EvaluationBatches(run)
    assert len(sampler) == 2
    assert list(sampler) == list(sampler) == run


def drawn(epoch: int = 0, rank: int = 0, world: int = 1, **changes: Any) -> list[list[Clip]]:
    lengths, size = changes.pop("lengths", LENGTHS), changes.pop("batch_size", 4)
    seed = changes.pop("seed", 0)
    config = ClipConfig(**{"clip_len": 10, "per_epoch": 100, **changes})
    sampler = TrainingBatches(lengths, config, size, seed, lambda: epoch, rank=rank, world=world)
    run = list(sampler)
    assert len(run) == len(sampler)
    return run


@pytest.mark.parametrize("sampling", ["uniform", "non_overlapping"])
def test_an_epoch_follows_from_seed_and_number(sampling: str) -> None:
    assert drawn(3, sampling=sampling) == drawn(3, sampling=sampling)
    assert drawn(3, sampling=sampling) != drawn(4, sampling=sampling)
    assert drawn(3, sampling=sampling) != drawn(3, sampling=sampling, seed=1)


def test_the_epoch_is_asked_for_whenever_one_begins() -> None:
    epoch = 0
    sampler = TrainingBatches(LENGTHS, ClipConfig(10, per_epoch=100), 4, 0, lambda: epoch)
    first = list(sampler)
    epoch = 1
    assert list(sampler) == drawn(1) != first


@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 5), st.sampled_from(["uniform", "non_overlapping"]))
def test_ranks_share_the_batches_of_one(seed: int, world: int, size: int, sampling: str) -> None:
    ranks = [drawn(seed, rank, world, sampling=sampling, batch_size=size * world) for rank in range(world)]
    assert {len(batch) for run in ranks for batch in run} == {size}
    assert len({len(run) for run in ranks}) == 1, "a rank with fewer steps would leave the others waiting"
    alone = drawn(seed, sampling=sampling, batch_size=size * world)
    together = [[clip for batch in step for clip in batch] for step in zip(*ranks, strict=True)]
    assert [sorted(step) for step in together] == [sorted(step) for step in alone], "the same clips in the same steps"


@given(st.lists(st.integers(1, 90), min_size=1, max_size=5), st.integers(1, 30), st.integers(0, 1000))
def test_tiles_show_every_frame_once(lengths: list[int], clip_len: int, seed: int) -> None:
    least = sum(-(-length // clip_len) for length in lengths)
    clips = [
        clip
        for batch in drawn(seed, lengths=lengths, clip_len=clip_len, sampling="non_overlapping", batch_size=1)
        for clip in batch
    ]
    assert len(clips) == least
    shown = [np.zeros(length, int) for length in lengths]
    for half, start, _ in clips:
        assert -clip_len < start < lengths[half]
        shown[half][max(0, start) : start + clip_len] += 1
    assert max(map(max, shown)) == 1, "they overlap nowhere"
    # a phase may ask for one tile more in a half than is surely there; no more than those are left out
    assert sum(int(np.sum(each == 0)) for each in shown) <= clip_len * len(lengths)
    assume(all(length % clip_len == 1 % clip_len for length in lengths))
    assert all(each.all() for each in shown), "with as many clips as every phase has, nothing is left out"


def test_clips_side_by_side_begin_at_another_phase_each_epoch() -> None:
    phases = {
        batch[0].start % 10 for epoch in range(60) for batch in drawn(epoch, lengths=[91], sampling="non_overlapping")
    }
    assert phases == set(range(10))


def test_uniform_clips_are_centred_anywhere_and_on_every_frame() -> None:
    clips = [clip for epoch in range(30) for batch in drawn(epoch, per_epoch=1000) for clip in batch]
    centres = np.zeros((len(LENGTHS), max(LENGTHS)), int)
    for half, start, _ in clips:
        assert 0 <= start + 5 < LENGTHS[half], "a clip overhangs by no more than its half"
        centres[half, start + 5] += 1
    inside = np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]
    expected = len(clips) / sum(LENGTHS)
    assert np.all(np.abs(centres[inside] - expected) < 6 * np.sqrt(expected)), "long halves are not favoured"


@pytest.mark.parametrize("sampling", ["uniform", "non_overlapping"])
def test_an_epoch_without_a_batch_says_what_to_change(sampling: str) -> None:
    with pytest.raises(UserError, match=r"an epoch of \d+ clips does not fill one batch of 30; lower data\.batch_size"):
        drawn(sampling=sampling, per_epoch=20, batch_size=30, world=3)


def test_a_batch_without_equal_parts_is_refused() -> None:
    with pytest.raises(UserError, match=r"data\.batch_size: 4 clips do not spread evenly over 3 devices; give a mult"):
        drawn(world=3)


def test_an_unknown_sampling_names_its_key() -> None:
    with pytest.raises(UserError, match=r"model\.clips\.sampling: 'random'"):
        drawn(sampling="random")
