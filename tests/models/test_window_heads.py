"""Heads of windows place the spot that they found, relative to the frame in the middle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spotter.models.rms import OffsetHead, OffsetTargets
from spotter.models.ste import PositionHead, PositionTargets
from spotter.types import Batch, ClipFrames, Spots
from tests.helpers.networks import both, clips

CLASSES = 3


def offset_head(window: int = 6, **more: Any) -> OffsetHead:
    torch.manual_seed(0)
    return OffsetHead(8, CLASSES, window, **more)


def position_head(window: int = 6, **more: Any) -> PositionHead:
    torch.manual_seed(0)
    return PositionHead(8, CLASSES, window, **more)


def labelled(head: OffsetHead | PositionHead, frames: int) -> Batch:
    """Return three clips, the last half outside, with the targets of their windows."""
    batch = clips(3, frames, [(0, frames), (0, frames), (frames // 2, frames)])
    targets = (
        OffsetTargets(CLASSES, head.window) if isinstance(head, OffsetHead) else PositionTargets(CLASSES, head.window)
    )
    spots = [Spots(np.array([2, 0]), np.array([1.2, 4.7]), np.ones(2, bool)), Spots.empty()]
    spots.append(Spots(np.array([1]), np.array([frames - 0.8]), np.ones(1, bool)))
    made = [targets(each, ClipFrames(0, frames, 1.0, 0.0)) for each in spots]
    batch["targets"] = {key: torch.from_numpy(np.stack([each[key] for each in made])) for key in made[0]}
    return batch


def cross_entropy(logits: Tensor, target: Tensor) -> float:
    shares = [float(logit.exp() / logits.exp().sum()) for logit in logits]
    return -sum(float(part) * math.log(share) for part, share in zip(target, shares, strict=True))


@pytest.mark.parametrize("frames", [6, 9])
def test_the_loss_of_offsets_equals_its_formula(frames: int) -> None:
    """For one window a clip (N = 1) and for a window around every frame."""
    head = offset_head(offset_weight=3.0)
    batch = labelled(head, frames)
    count = 1 if frames == 6 else frames
    with torch.no_grad():
        output = head(torch.randn(3, count, 8))
    classes, squares = [], []
    for clip, n in np.ndindex(3, count):
        if not batch["valid"][clip, n] and count > 1:
            continue
        target = batch["targets"]["classes"][clip, n]
        classes.append(cross_entropy(output["logits"][clip, n], target))
        if target[0] == 0:
            place = float(output["displacement"][clip, n, 0]) / 6 + 0.5
            squares.append((place - float(batch["targets"]["offset"][clip, n])) ** 2)
    losses = head.loss(output, batch)
    assert float(losses["loss"]) == pytest.approx(np.mean(classes) + 3 * np.mean(squares), rel=1e-4)
    assert set(losses) == {"loss", "classes", "offset"}


@pytest.mark.parametrize("frames", [6, 9])
def test_the_loss_of_positions_equals_its_formula(frames: int) -> None:
    head = position_head(position_weight=0.5)
    batch = labelled(head, frames)
    count = 1 if frames == 6 else frames
    with torch.no_grad():
        output = head(torch.randn(3, count, 8))
    classes, positions = [], []
    for clip, n in np.ndindex(3, count):
        if not batch["valid"][clip, n] and count > 1:
            continue
        for logit, target in zip(output["logits"][clip, n], batch["targets"]["classes"][clip, n], strict=True):
            share = float(logit.sigmoid())
            classes.append(-math.log(share if target else 1 - share))
        held = batch["targets"]["positions"][clip, n]
        if held.any():
            positions.append(cross_entropy(output["positions"][clip, n], held / held.sum()))
    losses = head.loss(output, batch)
    assert float(losses["loss"]) == pytest.approx(np.mean(classes) + 0.5 * np.mean(positions), rel=1e-4)
    assert set(losses) == {"loss", "classes", "position"}


def test_windows_without_a_spot_ask_for_no_place() -> None:
    for head in (offset_head(), position_head()):
        batch = labelled(head, 6)
        batch["targets"] = {key: value[[1, 1, 1]] for key, value in batch["targets"].items()}
        with torch.no_grad():
            losses = head.loss(head(torch.randn(3, 1, 8)), batch)
        assert float(losses["position" if isinstance(head, PositionHead) else "offset"]) == 0
        assert torch.isfinite(losses["loss"])


@given(st.integers(1, 9), st.integers(9, 14), st.floats(0.0, 13.0))
@settings(max_examples=40)
def test_every_window_that_is_told_its_place_moves_to_the_spot(window: int, frames: int, time: float) -> None:
    """Right offsets land on the spot, right positions within half a frame, for windows of either parity."""
    frames = max(frames, window + 1)
    time = min(time, frames - 1.0)
    spots = Spots(np.array([1]), np.array([time]), np.ones(1, bool))
    for head, kind in ((offset_head(window), OffsetTargets), (position_head(window), PositionTargets)):
        made = kind(CLASSES, window)(spots, ClipFrames(0, frames, 1.0, 0.0))
        held = made["classes"][:, 0] == 0
        if "offset" in made:
            place = torch.from_numpy(made["offset"])[None, :, None].double().clamp(1e-6, 1 - 1e-6)
            output = {"logits": torch.zeros(1, frames, 1 + CLASSES), "displacement": (place - 0.5) * window}
        else:
            sure = torch.from_numpy(made["positions"])[None]
            output = {"logits": torch.zeros(1, frames, 1 + CLASSES), "positions": sure}
        logits, displacement = both(head.predict(output))  # type: ignore[arg-type]
        assert logits.shape == displacement.shape == (1, frames, CLASSES)
        landed = (np.arange(frames) + displacement[0, :, 1].numpy())[held]
        assert (np.abs(landed - time) <= (1e-3 if "offset" in made else 0.5001)).all()


def test_the_offset_s_scale_is_the_window_and_its_sigmoid_s() -> None:
    head = offset_head(window=7)
    with torch.no_grad():
        head.offset.weight.zero_()
        for bias, displacement in ((0.0, 0.0), (-50.0, -3.5), (50.0, 3.5)):
            head.offset.bias.fill_(bias)
            assert head(torch.randn(1, 2, 8))["displacement"].flatten().tolist() == pytest.approx([displacement] * 2)


def test_predictions_are_shares_and_move_all_classes_alike() -> None:
    head = offset_head()
    output = head(torch.randn(2, 5, 8))
    logits, displacement = both(head.predict(output))
    torch.testing.assert_close(logits.sigmoid(), output["logits"].softmax(-1)[..., 1:])
    assert torch.equal(displacement, output["displacement"].expand(2, 5, CLASSES))
    other = position_head()
    output = other(torch.randn(2, 5, 8))
    logits, displacement = both(other.predict(output))
    assert torch.equal(logits, output["logits"][..., 1:])
    assert set(displacement.unique().tolist()) <= {-2.5, -1.5, -0.5, 0.5, 1.5, 2.5}


def test_windows_that_see_a_spot_at_their_edge_count_less() -> None:
    logits, displacement = torch.randn(1, 3, 1 + CLASSES), torch.tensor([[[0.0], [-1.5], [3.0]]])
    plain, _ = both(offset_head().predict({"logits": logits, "displacement": displacement}))
    weighed, told = both(offset_head(edge_cost=4.0).predict({"logits": logits, "displacement": displacement}))
    torch.testing.assert_close(plain - weighed, torch.tensor([0.0, 2.0, 4.0])[None, :, None].expand(1, 3, CLASSES))
    assert torch.equal(told, displacement.expand(1, 3, CLASSES))


def test_mixed_targets_are_shares_of_both() -> None:
    head = position_head()
    batch = labelled(head, 6)
    mine, theirs = batch["targets"], {key: value.flip(0) for key, value in batch["targets"].items()}
    mixed = head.mix(mine, theirs, torch.tensor([0.25, 1.0, 0.5]))
    for key, value in mixed.items():
        torch.testing.assert_close(value[0], 0.25 * mine[key][0] + 0.75 * theirs[key][0])
        torch.testing.assert_close(value[1], mine[key][1])
    assert torch.isfinite(head.loss(head(torch.randn(3, 1, 8)), {**batch, "targets": mixed})["loss"])


def test_scores_are_not_rounded() -> None:
    for head in (offset_head(), position_head()):
        output = head.bfloat16()(torch.randn(1, 2, 8).bfloat16())
        assert {value.dtype for value in output.values()} == {torch.float32}
