"""Mixup makes convex combinations, follows torch's seed, and leaves the clips it does not mix alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spotter.data.augment import FeatureTransform, swap_neighbours
from spotter.data.mixup import Mixup, blend
from spotter.errors import UserError
from spotter.types import Batch, Targets


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


def soft(targets: Targets, partners: Targets, weight: Tensor) -> Targets:
    """Mix as a head would whose displacements stay."""
    return {**targets, "confidence": blend(targets["confidence"], partners["confidence"], weight), "weight": weight}


def mix(seed: int = 0, alpha: float = 2.0, probability: float = 0.5) -> tuple[Batch, Tensor]:
    """Return a mixed batch, and which of its clips are."""
    torch.manual_seed(seed)
    batch = Mixup(alpha, probability)(make_batch(), soft, partners=False)
    return batch, batch["targets"]["weight"] < 1


@given(st.integers(0, 10_000), st.sampled_from([0.2, 1.0, 2.0]), st.sampled_from([0.0, 0.5, 1.0]))
def test_mixed_clips_are_convex_combinations_of_two(seed: int, alpha: float, probability: float) -> None:
    before, (batch, mixed) = make_batch(), mix(seed, alpha, probability)
    confidence = batch["targets"]["confidence"]
    torch.testing.assert_close(confidence.sum(-1), torch.ones(16, 5))
    assert confidence.min() >= 0
    for i in range(16):
        weights = confidence[i, 0]
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
    if probability == 0.0:
        assert not mixed.any()


def test_clips_that_are_not_mixed_are_untouched() -> None:
    before, (batch, mixed) = make_batch(), mix()
    assert 0 < mixed.sum() < 16
    for after, original in (
        (batch["inputs"]["a"], before["inputs"]["a"]),
        (batch["inputs"]["b"], before["inputs"]["b"]),
        (batch["targets"]["confidence"], before["targets"]["confidence"]),
        (batch["valid"], before["valid"]),
    ):
        assert torch.equal(after[~mixed], original[~mixed])


def test_mixing_follows_the_seed_and_leaves_the_batch_it_was_given() -> None:
    original = make_batch()
    torch.manual_seed(5)
    first = Mixup(2.0, 0.5)(original, soft, partners=False)
    again, _ = mix(5)
    assert torch.equal(first["inputs"]["a"], again["inputs"]["a"])
    assert torch.equal(original["inputs"]["a"], make_batch()["inputs"]["a"])


def test_the_share_of_mixed_clips_is_the_probability() -> None:
    mixed = torch.stack([mix(seed, probability=0.3)[1] for seed in range(200)])
    assert float(mixed.float().mean()) == pytest.approx(0.3, abs=0.03)


def test_partners_are_the_second_half_of_the_batch() -> None:
    torch.manual_seed(0)
    batch = Mixup(1.0, 1.0, beta=0.6)(make_batch(), soft, partners=True)
    assert batch["half"].tolist() == list(range(8))
    for i, confidence in enumerate(batch["targets"]["confidence"][:, 0]):
        assert set(confidence.nonzero()[:, 0].tolist()) <= {i, i + 8}
        torch.testing.assert_close(confidence[i], batch["targets"]["weight"][i])


def test_beta_leans_the_mixture() -> None:
    torch.manual_seed(0)
    leaning = [Mixup(1.0, 1.0, 0.25)(make_batch(), soft, partners=False)["targets"]["weight"] for _ in range(60)]
    assert float(torch.stack(leaning).mean()) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("key", "value"), [("alpha", 0.0), ("beta", -1.0), ("probability", 1.5)])
def test_mixtures_out_of_range_are_named(key: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"model\.mixup\.{key}"):
        Mixup(**{"alpha": 1.0, "probability": 0.5, key: value})


@given(st.integers(1, 9), st.integers(0, 1000), st.sampled_from([0.0, 0.4, 1.0]))
def test_rows_change_places_with_a_neighbour_only(count: int, seed: int, probability: float) -> None:
    torch.manual_seed(seed)
    rows = torch.arange(count).float()[None, :, None].expand(6, -1, 2)
    both = swap_neighbours(rows, probability).long()
    found, index = both[..., 0], torch.arange(count)
    assert torch.equal(found, both[..., 1]), "whole rows move"
    assert ((found - index).abs() <= 1).all()
    assert torch.equal(found.gather(1, found), index.expand(6, -1)), "pairs change places"
    if probability == 0.0:
        assert torch.equal(found, index.expand(6, -1))
    if probability == 1.0 and count > 2:
        assert (found != index).any(1).all()


def test_swapping_reaches_every_pair_as_often() -> None:
    torch.manual_seed(0)
    rows = torch.arange(6.0)[None, :, None].expand(4000, -1, 1)
    moved = (
        (swap_neighbours(rows, 0.3)[..., 0] > torch.arange(6.0)).float().mean(0)
    )  # a row takes its later neighbour's place
    torch.testing.assert_close(moved, torch.tensor([0.15] * 5 + [0.0]), atol=0.03, rtol=0)


def test_masking_hides_what_comes_before_the_spot() -> None:
    torch.manual_seed(0)
    batch = make_batch()
    batch["valid"] = torch.ones(16, 5, dtype=torch.bool)
    moment = torch.full((16, 1), 2.6)
    moment[:4] = float("nan")
    batch["targets"] = {"moment": moment}
    valid = FeatureTransform(mask_before=1.0)(batch)["valid"]
    assert valid[:4].all(), "background shows all"
    assert torch.equal(valid[4:], (torch.arange(5) >= 2).expand(12, -1)), "the spot's own frame stays"
    some = FeatureTransform(mask_before=0.5)(batch)["valid"][4:]
    assert {tuple(row.tolist()) for row in some} == {(True,) * 5, (False, False, True, True, True)}


def test_what_rows_cannot_do_is_said() -> None:
    with pytest.raises(UserError, match=r"model\.augment\.swap: expected a number from 0 to 1, found 2"):
        FeatureTransform(swap=2)
    with pytest.raises(UserError, match=r"model\.augment\.mask_before: the targets"):
        FeatureTransform(mask_before=0.5)(make_batch())


@pytest.mark.parametrize("partners", [True, False])
def test_mixing_asks_the_device_for_nothing(partners: bool) -> None:
    """A meta tensor has no numbers, so it stands for a device; half and start stay on the host, as in all batches."""
    batch = make_batch()
    for key in ("inputs", "phase", "targets"):
        batch[key] = {name: tensor.to("meta") for name, tensor in batch[key].items()}
    batch["valid"] = batch["valid"].to("meta")
    mixed = Mixup(2.0, 0.5)(batch, soft, partners)
    assert {tensor.device.type for tensor in (*mixed["inputs"].values(), mixed["valid"])} == {"meta"}
    assert mixed["half"].tolist() == list(range(8 if partners else 16))


def test_streams_of_another_rate_are_mixed_at_the_same_times() -> None:
    """Of two streams that hold the time of each row, mixtures agree at every frame."""
    frames, start = 12, torch.tensor([20, 41, 62, 83])
    clock = (start[:, None] + torch.arange(frames)) / 2  # two rows a second
    first = (start / 2).floor()
    slow = first[:, None] + torch.arange(frames // 2 + 2)  # one
    batch = Batch(
        inputs={"a": clock[..., None], "b": slow[..., None]},
        phase={"a": torch.zeros(4), "b": start / 2 - first},
        valid=torch.ones(4, frames, dtype=torch.bool),
        targets={"confidence": torch.ones(4, frames, 4)},
        half=torch.arange(4),
        start=start,
    )
    torch.manual_seed(0)
    mixed = Mixup(1.0, 1.0)(batch, soft, partners=False)
    at = mixed["phase"]["b"][:, None] + torch.arange(frames) / 2
    rows, before = mixed["inputs"]["b"][..., 0], at.floor().long()
    found = rows.gather(1, before).lerp(rows.gather(1, before + 1), at - before)
    torch.testing.assert_close(found[:, 1:], mixed["inputs"]["a"][:, 1:, 0])
    assert not torch.equal(mixed["inputs"]["a"], batch["inputs"]["a"])
