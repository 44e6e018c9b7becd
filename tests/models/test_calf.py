"""CALF asks of every frame what its loss says, gives every spot one slot, and shows suppression the slots."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from spotter.errors import UserError
from spotter.models.calf.head import EMPTY, CalfHead
from spotter.models.calf.losses import context_aware, match, spotting
from spotter.models.calf.network import Calf
from spotter.models.calf.targets import ContextTargets
from spotter.types import Batch, ClipFrames, Output, Spots
from tests.helpers.networks import LAYOUT, both, clips

MARGINS = [[-10.0, -5.0, 4.0, 9.0], [-3.0, -1.0, 2.0, 2.5], [-40.0, -20.0, 10.0, 20.0]]
CLASSES, FRAMES, SLOTS = len(MARGINS), 21, 4  # 8 does not divide the frames
SHARES = st.integers(0, 20).map(lambda part: part / 20)


def network(**more: Any) -> Calf:
    torch.manual_seed(0)
    return Calf(LAYOUT, 8, dim=16, **more)


def head(**more: Any) -> CalfHead:
    torch.manual_seed(0)
    arguments = {"clip_len": FRAMES, "margins": MARGINS, "slots": SLOTS, "capsule": 4, **more}
    return CalfHead(152, CLASSES, **arguments)


def labelled(batch: Batch, spots: list[list[tuple[int, float]]], neutral: int = 0) -> Batch:
    """Return ``batch`` with the targets of the spots (class, frame) of every clip."""
    targets = ContextTargets(FRAMES, MARGINS, SLOTS, neutral)
    made = []
    for each in spots:
        columns = np.array([label for label, _ in each], np.int64), np.array([time for _, time in each], float)
        made.append(targets(Spots(*columns, np.ones(len(each), bool)), ClipFrames(0, FRAMES, 1.0, 0.0)))
    batch["targets"] = {key: torch.from_numpy(np.stack([each[key] for each in made])) for key in made[0]}
    return batch


def said(model: nn.Module, batch: Batch) -> Tensor:
    tokens: Tensor = model(batch["inputs"], batch["phase"], batch["valid"])
    return tokens


def test_shapes_and_overhanging_clips() -> None:
    batch = labelled(clips(3, FRAMES, [(0, FRAMES), (5, 9), (0, 0)]), [[(0, 3.0)], [(1, 7.2)], []])
    net, top = network(), head()
    tokens = said(net, batch)
    assert tokens.shape == (3, FRAMES, net.width) == (3, FRAMES, 152)
    output = top(tokens)
    assert output["segmentation"].shape == (3, FRAMES, CLASSES)
    assert output["slots"].shape == (3, SLOTS, 2 + CLASSES)
    assert ((output["segmentation"] >= 0) & (output["segmentation"] <= 1)).all()
    torch.testing.assert_close(output["slots"][..., 2:].sum(-1), torch.ones(3, SLOTS))
    logits, displacement = both(top.predict(output))
    assert logits.shape == (3, FRAMES, CLASSES)
    assert displacement is None
    losses = top.loss(output, batch)
    losses["loss"].backward()
    assert all(torch.isfinite(value) for value in losses.values())
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in (*net.parameters(), *top.parameters()))


def test_a_frame_sees_its_receptive_field_and_nothing_outside_the_half() -> None:
    net = network(normalise=True).eval()
    batch = clips(1, FRAMES, [(2, FRAMES)])
    before = said(net, batch)
    batch["inputs"]["a"][0, :2] = 100.0
    torch.testing.assert_close(said(net, batch), before)
    batch["inputs"]["a"][0, 10] += 1.0
    changed = (said(net, batch) != before).any(-1)[0].nonzero()[:, 0]
    assert changed.tolist() == list(range(6, 14)), "of 8 frames, three lie before and four after"


def test_the_segmentation_is_the_length_of_normalised_capsules() -> None:
    top = head().train()
    tokens = torch.randn(5, FRAMES, 152)
    with torch.no_grad():
        output = top(tokens)
        capsules = top.capsules(tokens.transpose(1, 2)).transpose(1, 2)  # (B, T, K * 4)
    mean = capsules.mean((0, 2), keepdim=True)
    variance = capsules.var((0, 2), keepdim=True, unbiased=False)
    u = torch.sigmoid((capsules - mean) / (variance + 1e-3).sqrt()).view(5, FRAMES, CLASSES, 4)
    torch.testing.assert_close(output["segmentation"], (4 / 4 * ((u - 0.5) ** 2).sum(-1)).sqrt())


def slow_context(p: float, s: float, margins: list[float]) -> float:
    """Return the context-aware loss of one frame and class, as published."""
    k1, k2, k3, k4 = margins
    if s < k1 or s >= k4:
        asked = -math.log(1 - p)
    elif s < k2:
        asked = -math.log((1 - p) + p * (s - k1) / (k2 - k1))
    elif s < 0:
        return 0.0
    elif s < k3:
        asked = -math.log(p + (1 - p) * s / k3)
    else:
        asked = -math.log((1 - p) + p * (s - k4) / (k3 - k4))
    return max(0.0, asked + math.log(0.9))


def test_the_context_aware_loss_equals_a_slow_look() -> None:
    generator = torch.Generator().manual_seed(0)
    score = torch.rand(2, 200, CLASSES, generator=generator) * 0.98 + 0.01
    shift = torch.linspace(-45, 25, 200).expand(2, CLASSES, 200).transpose(1, 2).clone()
    shift[:, :4, 0] = torch.tensor(MARGINS[0])  # the borders themselves
    made = context_aware(score, shift, torch.tensor(MARGINS))
    for clip, frame, label in np.ndindex(2, 200, CLASSES):
        cell = clip, frame, label
        expected = slow_context(float(score[cell]), float(shift[cell]), MARGINS[label])
        assert float(made[cell]) == pytest.approx(expected, abs=1e-5)


def test_a_score_that_is_good_enough_costs_nothing_and_an_extreme_one_has_a_gradient() -> None:
    margins = torch.tensor([[-10.0, -5.0, 4.0, 9.0]])
    shift = torch.tensor([-12.0, -2.0, 0.0, 3.0, 11.0]).view(5, 1)
    perfect = torch.tensor([0.1, 0.4, 0.9, 0.9, 0.1]).view(5, 1)
    torch.testing.assert_close(context_aware(perfect, shift, margins), torch.zeros(5, 1), atol=1e-6, rtol=0)
    wrong = torch.tensor([1.0, 1.0, 0.0, 0.0, 1.0]).view(5, 1).requires_grad_()
    loss = context_aware(wrong, shift, margins)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert wrong.grad is not None
    assert torch.isfinite(wrong.grad).all()


def slow_match(times: list[float], slots: list[float]) -> dict[int, int]:
    """Return the slot of every spot: rounds in which spots name slots and slots take spots."""
    pairs: dict[int, int] = {}
    while len(pairs) < len(times):
        free = [slot for slot in range(len(slots)) if slot not in pairs.values()]
        named: dict[int, list[int]] = {}
        for spot in range(len(times)):
            if spot not in pairs:
                named.setdefault(max(free, key=lambda slot: 1 - abs(times[spot] - slots[slot])), []).append(spot)
        for slot, spots in named.items():
            pairs[max(spots, key=lambda spot: 1 - abs(times[spot] - slots[slot]))] = slot
    return pairs


@given(
    st.lists(st.tuples(st.lists(SHARES, max_size=5), st.lists(SHARES, min_size=5, max_size=5)), min_size=1, max_size=2)
)
def test_spots_and_slots_are_matched_as_a_slow_reference_does(drawn: list[tuple[list[float], list[float]]]) -> None:
    time, wanted = torch.zeros(len(drawn), 5, dtype=torch.float64), torch.zeros(len(drawn), 5, dtype=torch.bool)
    for clip, (times, _) in enumerate(drawn):
        time[clip, : len(times)] = torch.tensor(times, dtype=torch.float64)
        wanted[clip, : len(times)] = True
    got = match(time, wanted, torch.tensor([slots for _, slots in drawn], dtype=torch.float64))
    for clip, (times, slots) in enumerate(drawn):
        assert {spot: int(got[clip, spot]) for spot in range(len(times))} == slow_match(times, slots)


def test_matching_asks_the_device_for_nothing() -> None:
    """A meta tensor has no numbers, so it stands for a device that is not waited for."""
    slots, target = torch.rand(2, 3, 4, device="meta"), torch.rand(2, 3, 4, device="meta")
    assert spotting(slots, target, 5.0, 0.5).shape == (2,)


def test_the_spotting_loss_equals_its_formula() -> None:
    generator = torch.Generator().manual_seed(3)
    slots = torch.rand(6, SLOTS, 2 + CLASSES, generator=generator)
    target = torch.zeros(6, SLOTS, 2 + CLASSES)
    for clip in range(6):
        for spot in range(min(clip, SLOTS)):
            target[clip, spot, :2] = torch.tensor([1.0, float(torch.rand((), generator=generator))])
            target[clip, spot, 2 + spot % CLASSES] = 1
    made = spotting(slots, target, 5.0, 0.5)
    for clip in range(6):
        count = min(clip, SLOTS)
        pairs = slow_match(target[clip, :count, 1].tolist(), slots[clip, :, 1].tolist())
        expected = sum(0.5 * float(slots[clip, i, 0]) ** 2 for i in set(range(SLOTS)) - set(pairs.values()))
        for spot, slot in pairs.items():
            error = ((slots[clip, slot] - target[clip, spot]) ** 2).tolist()
            expected += error[0] + 5 * error[1] + sum(error[2:])
        assert float(made[clip]) == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_a_mean_over_clips_and_asks_nothing_outside_the_half() -> None:
    valid = [(0, FRAMES), (0, 12), (0, 0)]
    spots = [[(0, 3.0), (2, 15.5)], [(1, 7.2)], []]
    batch = labelled(clips(3, FRAMES, valid), spots, neutral=2)
    top = head(segmentation_weight=0.25).eval()
    with torch.no_grad():
        output = top(torch.randn(3, FRAMES, 152))
    losses = top.loss(output, batch)
    shift, segmentation = batch["targets"]["shift"], output["segmentation"]
    asked = [
        sum(
            slow_context(float(segmentation[clip, frame, label]), float(shift[clip, frame, label]), MARGINS[label])
            for frame in range(max(low, 2), min(high, FRAMES - 2))
            for label in range(CLASSES)
        )
        for clip, (low, high) in enumerate(valid)
    ]
    assert float(losses["segmentation"]) == pytest.approx(sum(asked) / 3, rel=1e-4)
    slots = torch.cat((output["slots"][..., :1].sigmoid(), output["slots"][..., 1:]), dim=2)
    each = spotting(slots, batch["targets"]["slots"], 5.0, 0.5)
    assert float(losses["spotting"]) == pytest.approx(float(each[0] + each[1]) / 3, rel=1e-5)
    assert float(losses["loss"]) == pytest.approx(float(0.25 * losses["segmentation"] + losses["spotting"]), rel=1e-5)
    beyond = labelled(clips(3, FRAMES, valid), [spots[0], [*spots[1], (0, 14.0)], [(0, 5.0)]], neutral=2)
    torch.testing.assert_close(top.loss(output, beyond)["spotting"], losses["spotting"])


def test_slots_speak_at_their_frame_in_their_class_and_the_highest_wins() -> None:
    slots = torch.tensor(
        [
            [2.0, 0.5, 0.1, 0.7, 0.2],
            [3.0, 0.52, 0.1, 0.7, 0.2],  # the nearest is the same frame
            [-1.0, 1.0, 0.8, 0.1, 0.1],
            [-30.0, 0.0, 0.8, 0.1, 0.1],
        ]
    )
    logits, _ = both(head().predict(Output(slots=slots[None])))
    expected = torch.full((FRAMES, CLASSES), EMPTY)
    expected[10, 1], expected[20, 0] = 3.0, -1.0
    assert torch.equal(logits[0], expected)


def test_four_clips_are_learned_by_heart() -> None:
    spots = [[(0, 4.3), (1, 15.0)], [(2, 10.0)], [(1, 5.0), (1, 12.0), (0, 17.6)], []]
    batch = labelled(clips(4, FRAMES), spots)
    torch.manual_seed(1)
    net = Calf(LAYOUT, 8, normalise=True)
    top = CalfHead(152, CLASSES, FRAMES, MARGINS, SLOTS)
    optimizer = torch.optim.Adam([*net.parameters(), *top.parameters()], lr=5e-3)
    for _ in range(400):  # the loss jumps whenever a spot gets another slot, so this stops at a good moment
        optimizer.zero_grad()
        loss = top.loss(top(said(net, batch)), batch)["loss"]
        loss.backward()
        if float(loss.detach()) < 0.01:
            break
        optimizer.step()
    assert float(loss.detach()) < 0.01
    with torch.no_grad():
        output = top(said(net, batch))
    logits, _ = both(top.predict(output))
    for clip, each in enumerate(spots):
        order = logits[clip].flatten().argsort(descending=True)[: len(each)]
        found = sorted((int(cell % CLASSES), int(cell // CLASSES)) for cell in order)
        assert [label for label, _ in found] == sorted(label for label, _ in each)
        assert all(abs(at - time) <= 1 for (_, at), (_, time) in zip(found, sorted(each), strict=True))
        assert (logits[clip] > 0).sum() == len(each)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"clip_len": 14}, r"model\.clips\.clip_len: .* at least 15 frames, found 14"),
        ({"margins": MARGINS[:2]}, r"model\.head\.margins: 2 rows for the 3 classes"),
    ],
)
def test_settings_that_do_not_fit_are_named(arguments: dict[str, Any], wrong: str) -> None:
    with pytest.raises(UserError, match=wrong):
        head(**arguments)


@pytest.mark.parametrize("frames", [15, 16, 23])
def test_any_length_of_clips_is_possible_but_only_the_one(frames: int) -> None:
    top = head(clip_len=frames)
    assert top(torch.randn(2, frames, 152))["slots"].shape == (2, SLOTS, 2 + CLASSES)
    with pytest.raises(UserError, match=rf"model\.clips: .* {frames} frames, not of {frames + 1}"):
        top(torch.randn(2, frames + 1, 152))


@pytest.mark.parametrize(("arguments", "wrong"), [({"receptive_field": 0}, r"receptive_field")])
def test_networks_that_cannot_be_are_named(arguments: dict[str, Any], wrong: str) -> None:
    with pytest.raises(UserError, match=wrong):
        Calf(LAYOUT, **{"receptive_field": 8, **arguments})


def test_margins_move_with_the_head_but_not_with_its_weights() -> None:
    top = head()
    assert "margins" in dict(top.named_buffers())
    assert "margins" not in top.state_dict()
