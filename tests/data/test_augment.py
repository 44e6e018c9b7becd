"""Mixup makes convex combinations, follows torch's seed, and leaves the clips it does not mix alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spotter.batch import Batch
from spotter.data.augment import mixup


def make_batch(count: int = 16) -> Batch:
    """Return a batch whose clips hold their own number everywhere."""
    number = torch.arange(count, dtype=torch.float32)
    valid = torch.rand(count, 5, generator=torch.Generator().manual_seed(3)) < 0.7
    return Batch(
        inputs={"a": number[:, None, None].expand(-1, 5, 2).clone(), "b": 10 * number[:, None, None].expand(-1, 9, 3)},
        phase={"a": torch.zeros(count), "b": torch.zeros(count)},
        valid=valid,
        targets={
            "confidence": torch.nn.functional.one_hot(torch.arange(count))[:, None].expand(-1, 5, -1).float(),
            "displacement": number[:, None, None].expand(-1, 5, 2),
        },
        half=torch.arange(count),
        start=torch.zeros(count, dtype=torch.int64),
    )


def mix(seed: int = 0, alpha: float = 2.0, probability: float = 0.5) -> tuple[Batch, Tensor]:
    torch.manual_seed(seed)
    return mixup(make_batch(), ["confidence"], alpha, probability)


@given(st.integers(0, 10_000), st.sampled_from([0.2, 1.0, 2.0]), st.sampled_from([0.0, 0.5, 1.0]))
def test_mixed_clips_are_convex_combinations_of_two(seed: int, alpha: float, probability: float) -> None:
    before, (batch, mixed) = make_batch(), mix(seed, alpha, probability)
    soft = batch["targets"]["confidence"]
    torch.testing.assert_close(soft.sum(-1), torch.ones(16, 5))
    assert soft.min() >= 0
    for i in range(16):
        weights = soft[i, 0]
        sources = weights.nonzero()[:, 0]
        assert len(sources) <= 2
        # inputs, every stream of them, are mixed as the targets are
        torch.testing.assert_close(batch["inputs"]["a"][i], (weights @ before["inputs"]["a"].flatten(1)).view(5, 2))
        torch.testing.assert_close(batch["inputs"]["b"][i], 10 * batch["inputs"]["a"][i, 0, 0].expand(9, 3))
        outside = before["valid"][i] & ~batch["valid"][i]
        assert not (batch["valid"][i] & ~before["valid"][i]).any(), "mixing makes no frame valid"
        if len(sources) == 2:
            partner = int(sources[sources != i][0])
            assert torch.equal(batch["valid"][i], before["valid"][i] & before["valid"][partner])
        elif not mixed[i]:
            assert not outside.any()
    assert torch.equal(batch["targets"]["displacement"], before["targets"]["displacement"]), "hard targets stay"
    if probability in (0.0, 1.0):
        assert mixed.float().mean() == probability


def test_clips_that_are_not_mixed_are_untouched() -> None:
    before, (batch, mixed) = make_batch(), mix()
    assert 0 < mixed.sum() < 16
    for after, original in (
        (batch["inputs"]["a"], before["inputs"]["a"]),
        (batch["targets"]["confidence"], before["targets"]["confidence"]),
        (batch["valid"], before["valid"]),
    ):
        assert torch.equal(after[~mixed], original[~mixed])
    assert torch.equal(batch["half"], before["half"])


def test_mixup_follows_from_torchs_seed_and_spares_its_input() -> None:
    original = make_batch()
    torch.manual_seed(5)
    first, mixed = mixup(original, ["confidence"], 2.0, 0.5)
    again, mixed_again = mix(5)
    assert torch.equal(mixed, mixed_again)
    assert torch.equal(first["inputs"]["a"], again["inputs"]["a"])
    assert torch.equal(original["inputs"]["a"], make_batch()["inputs"]["a"]), "the batch itself is not written to"
    other, _ = mix(6)
    assert not torch.equal(first["inputs"]["a"], other["inputs"]["a"])


def test_the_share_of_mixed_clips_is_the_probability() -> None:
    mixed = torch.stack([mix(seed, probability=0.3)[1] for seed in range(200)])
    assert float(mixed.float().mean()) == pytest.approx(0.3, abs=0.03)
