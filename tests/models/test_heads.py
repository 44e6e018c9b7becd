"""Heads say what suppression needs, and are trained on what counts only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spotter.errors import UserError
from spotter.models.blocks.dense import DISPLACEMENTS, DenseHead
from spotter.models.blocks.window import WindowHead
from spotter.models.linear import PerFrame
from spotter.models.transformer import Transformer
from spotter.models.window_transformer import POOLS, WindowTransformer
from spotter.types import Batch, ClipFrames, Spots, TargetMaker
from tests.helpers.networks import LAYOUT, TINY, both, clips

CLASSES = 3


def dense_batch(upsample: int = 1, frames: int = 6) -> Batch:
    """Return a batch of three clips with dense targets, half of the last outside."""
    batch = clips(3, frames, [(0, frames), (0, frames), (frames // 2, frames)])
    generator = torch.Generator().manual_seed(1)
    shape = (3, frames * upsample, CLASSES)
    batch["targets"] = {
        "confidence": (torch.rand(shape, generator=generator) < 0.3).float(),
        "displacement": 2 * torch.randn(shape, generator=generator),
        "mask": torch.rand(shape, generator=generator) < 0.5,
    }
    return batch


def dense_head(**more: Any) -> DenseHead:
    torch.manual_seed(0)
    return DenseHead(8, CLASSES, radius=2.0, displacement_radius=4.0, **more)


@pytest.mark.parametrize("kind", DISPLACEMENTS)
def test_every_anchor_has_a_confidence_and_a_displacement_within_reach(kind: str) -> None:
    head = dense_head(displacement=kind)
    output = head(100 * torch.randn(2, 5, 8))
    assert (
        set(output)
        == {
            "huber": {"logits", "displacement"},
            "gaussian": {"logits", "displacement", "log_variance"},
            "none": {"logits"},
        }[kind]
    )
    assert all(value.shape == (2, 5, CLASSES) for value in output.values())
    logits, displacement = both(head.predict(output))
    assert torch.equal(logits, output["logits"])
    if kind == "none":
        assert displacement is None
    else:
        assert displacement is not None
        assert 3 < float(displacement.detach().abs().max()) <= 4
    head.bfloat16()
    assert head(torch.randn(1, 2, 8).bfloat16())["logits"].dtype == torch.float32, "scores are not rounded"


def test_an_untrained_head_believes_in_nothing() -> None:
    assert dense_head()(torch.zeros(1, 1, 8))["logits"].sigmoid().tolist() == [[pytest.approx([0.01] * CLASSES)]]


def test_an_unknown_displacement_names_its_key() -> None:
    with pytest.raises(UserError, match=r"model\.head\.displacement: 'l2' is unknown: give one of huber, gaussian"):
        dense_head(displacement="l2")


@pytest.mark.parametrize("kind", DISPLACEMENTS)
@pytest.mark.parametrize("upsample", [1, 2])
def test_the_dense_loss_equals_its_formula(kind: str, upsample: int) -> None:
    head = dense_head(displacement=kind, displacement_weight=0.5, huber_delta=0.5)
    head.set_class_prior(torch.tensor([0.3, 0.01, 0.0]))
    batch = dense_batch(upsample)
    with torch.no_grad():
        output = head(torch.randn(3, 6 * upsample, 8))
    mixed = torch.tensor([False, True, False])
    target = batch["targets"]
    confidence, displacement = [], []
    weights = [(0.03 / 0.3, 0.97 / 0.7), (0.03 / 0.01, 0.97 / 0.99), (1.0, 1.0)]
    for clip, anchor, label in np.ndindex(3, 6 * upsample, CLASSES):
        cell = clip, anchor, label
        if not batch["valid"][clip, anchor // upsample]:
            continue
        p = float(output["logits"][cell].sigmoid())
        positive, negative = weights[label]
        confidence.append(-positive * math.log(p) if target["confidence"][cell] else -negative * math.log(1 - p))
        if kind != "none" and target["mask"][cell] and not mixed[clip]:
            error = float(output["displacement"][cell] - target["displacement"][cell]) / 4
            if kind == "huber":
                displacement.append(error**2 if abs(error) <= 0.5 else abs(error) - 0.25)
            else:
                v = float(output["log_variance"][cell])
                displacement.append(0.3 * error**2 / math.exp(v) + 0.7 * v)
    whole = (~mixed).float()
    losses = head.loss(output, {**batch, "targets": head.mix(target, target, torch.where(mixed, 0.3, whole))})
    expected = float(np.mean(confidence)) + (0.5 * float(np.mean(displacement)) if kind != "none" else 0)
    assert float(losses["loss"]) == pytest.approx(expected, rel=1e-4)
    assert set(losses) == ({"loss"} if kind == "none" else {"loss", "confidence", "displacement"})


def test_displacements_of_mixed_clips_weigh_as_much_as_their_clip() -> None:
    """Where both clips have a spot in reach the displacement is in between; where one has, that one's counts."""
    head = dense_head(mix_displacement=True)
    near = torch.tensor([True, True, False, False])
    mine = {"mask": near, "displacement": 2.0 * near, "confidence": near.float()}
    other = torch.tensor([True, False, True, False])
    theirs = {"mask": other, "displacement": -4.0 * other, "confidence": other.float()}
    shaped = [{key: value.view(1, 4, 1) for key, value in each.items()} for each in (mine, theirs)]
    mixed = head.mix(*shaped, torch.tensor([0.75]))
    torch.testing.assert_close(mixed["mask"].flatten(), torch.tensor([1.0, 0.75, 0.25, 0.0]))
    torch.testing.assert_close(mixed["displacement"].flatten(), torch.tensor([0.5, 2.0, -4.0, 0.0]))
    torch.testing.assert_close(mixed["confidence"].flatten(), torch.tensor([1.0, 0.75, 0.25, 0.0]))


def test_hidden_layers_stand_before_each_output() -> None:
    head = dense_head(hidden=5)
    assert [tuple(p.shape) for p in head.confidence.parameters()] == [(5, 8), (5,), (CLASSES, 5), (CLASSES,)]
    assert head(torch.randn(2, 4, 8))["displacement"].shape == (2, 4, CLASSES)


def test_positives_weigh_their_share_in_every_class() -> None:
    head = dense_head(positive_weight=0.2)
    rates = torch.tensor([0.3, 0.02, 0.001])
    head.set_class_prior(rates)
    positive, negative = head._weights()
    torch.testing.assert_close(positive * rates, torch.full((3,), 0.2))
    torch.testing.assert_close(negative * (1 - rates), torch.full((3,), 0.8))
    head.set_class_prior(torch.tensor([0.0, 0.9, 1e-9]))
    positive, negative = head._weights()
    assert (float(positive[0]), float(negative[0])) == pytest.approx((1, 1)), "a class never seen is left alone"
    assert torch.isfinite(positive).all()
    assert torch.isfinite(negative).all()
    plain = dense_head(positive_weight=None)
    plain.set_class_prior(rates)
    assert [weights.tolist() for weights in plain._weights()] == [[1, 1, 1], [1, 1, 1]]


def test_positives_of_rare_classes_count_more() -> None:
    head = dense_head(positive_weight=None, rare_weight=0.5)
    head.set_class_prior(torch.tensor([0.04, 0.01, 0.0]))
    positive, negative = head._weights()
    torch.testing.assert_close(positive, torch.tensor([1.0, 2.0, 1.0]))
    assert negative.tolist() == [1, 1, 1]


def test_the_rates_travel_with_the_weights() -> None:
    head, other = dense_head(), dense_head()
    head.set_class_prior(torch.tensor([0.3, 0.02, 0.001]))
    other.load_state_dict(head.state_dict())
    assert torch.equal(other.rates, head.rates)


def window_batch(frames: int, windows: int) -> Batch:
    batch = clips(2, frames, [(0, frames), (frames - 1, frames)])
    batch["targets"] = {"classes": (torch.rand(2, windows, 1 + CLASSES) < 0.4).float()}
    return batch


@pytest.mark.parametrize(("frames", "windows", "counted"), [(5, 1, [[1], [1]]), (4, 4, [[1] * 4, [0, 0, 0, 1]])])
def test_the_window_loss_counts_windows_of_the_half(frames: int, windows: int, counted: list[list[int]]) -> None:
    head = WindowHead(8, CLASSES, 5)
    batch = window_batch(frames, windows)
    output = {"logits": head(torch.randn(2, windows, 8))["logits"].detach()}
    assert output["logits"].shape == (2, windows, 1 + CLASSES)
    values = nn.functional.binary_cross_entropy_with_logits(
        output["logits"], batch["targets"]["classes"], reduction="none"
    )
    expected = values[torch.tensor(counted, dtype=torch.bool)].mean()
    assert float(head.loss(output, batch)["loss"]) == pytest.approx(float(expected), rel=1e-5)


def test_the_background_is_not_predicted() -> None:
    head = WindowHead(8, CLASSES, 5)
    output = head(torch.randn(2, 4, 8))
    logits, displacement = both(head.predict(output))
    assert torch.equal(logits, output["logits"][..., 1:])
    assert displacement is None


def train(network: nn.Module, head: Any, batch: Batch, steps: int = 80, lr: float = 5e-3) -> tuple[float, float]:
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], lr=lr)
    losses = []
    for _ in range(steps):
        loss = head.loss(head(network(batch["inputs"], batch["phase"], batch["valid"])), batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses[0], losses[-1]


def four_clips(targets: TargetMaker, frames: int = 8) -> Batch:
    batch = clips(4, frames, [(0, frames), (0, frames), (2, frames), (0, frames - 3)])
    rows = torch.randn(4, frames, 60, generator=torch.Generator().manual_seed(2)) * batch["valid"][..., None]
    batch["inputs"] = {"a": rows}
    spots = [([0], [3.2]), ([1, 2], [1.0, 6.5]), ([], []), ([0, 1], [2.0, 3.6])]
    made = [
        targets(
            Spots(np.array(labels, np.int64), np.array(times), np.ones(len(labels), bool)), ClipFrames(0, frames, 1, 0)
        )
        for labels, times in spots
    ]
    batch["targets"] = {key: torch.from_numpy(np.stack([each[key] for each in made])) for key in made[0]}
    return batch


WIDE = {"a": {**LAYOUT["a"], "groups": [30, 30]}}
STILL = {"input_dropout": 0.0}


@pytest.mark.slow
@pytest.mark.parametrize("kind", DISPLACEMENTS)
@pytest.mark.parametrize("model", ["transformer", "linear"])
def test_dense_models_learn_four_clips_by_heart(model: str, kind: str) -> None:
    torch.manual_seed(0)
    network = (
        PerFrame(WIDE, 2)
        if model == "linear"
        else Transformer(WIDE, 2, **TINY, **STILL, token_dropout=0, extractor_dropout=0)
    )
    # certainty has no lowest loss, so four clips let a Gaussian drown the confidence unless that weighs more
    weight = 0.01 if kind == "gaussian" else 1.0
    head = DenseHead(network.width, CLASSES, 0.6, 2.0, upsample=2, displacement=kind, displacement_weight=weight)
    head.set_class_prior(torch.tensor([0.1, 0.1, 0.05]))
    batch = four_clips(head.targets)
    before, after = train(network, head, batch, steps=250 if kind == "gaussian" else 150)
    with torch.no_grad():
        logits, displacement = both(head.predict(head(network(batch["inputs"], batch["phase"], batch["valid"]))))
    assert after < 0.6 * before
    inside = batch["valid"].repeat_interleave(2, 1)
    if model == "transformer":  # a line between frames cannot place the anchors between them
        assert told_apart(logits[inside], batch["targets"]["confidence"][inside])
        if displacement is not None:
            near = batch["targets"]["mask"] & inside[..., None]
            assert float((displacement - batch["targets"]["displacement"])[near].abs().mean()) < 0.5


def told_apart(logits: Tensor, target: Tensor) -> bool:
    return bool(logits[target == 1].min() > logits[target == 0].max())


@pytest.mark.parametrize("pool", POOLS)
def test_the_window_model_learns_four_clips_by_heart(pool: str) -> None:
    torch.manual_seed(0)
    network = WindowTransformer(WIDE, 8, **TINY, **STILL, pool=pool)
    head = WindowHead(network.width, CLASSES, 8)
    batch = four_clips(head.targets)
    before, after = train(network, head, batch, lr=1e-2)
    with torch.no_grad():
        logits = head(network(batch["inputs"], batch["phase"], batch["valid"]))["logits"]
    assert after < 0.2 * before
    assert torch.equal(logits > 0, batch["targets"]["classes"] == 1)
