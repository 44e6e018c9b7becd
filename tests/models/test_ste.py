"""STE gives every window of a stretch what it gives it alone, and learns classes and positions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from spotter.errors import UserError
from spotter.models.blocks.window import WindowHead, WindowTargets
from spotter.models.ste import STE, PositionHead, PositionTargets
from tests.helpers.networks import LAYOUT, clips
from tests.helpers.window_fitting import CLASSES, HELD, WIDE, check_clips, check_stretch, fit, four_windows, learnt, run


def network(layout: Any = LAYOUT, window: int = 8, **more: Any) -> STE:
    torch.manual_seed(0)
    return STE(layout, window, **{"hidden": 16, "dim": 12, "channels": (16, 24), "width": 20, **more})


@pytest.mark.parametrize("window", [8, 7, 16])
def test_a_stretch_gives_at_each_frame_what_its_window_gives(window: int) -> None:
    check_stretch(network(window=window), window)


@pytest.mark.parametrize("normalise", [True, False])
def test_clips_at_and_outside_the_ends_of_a_half(normalise: bool) -> None:
    check_clips(lambda layout: network(layout, normalise=normalise), 8)


def test_the_vector_of_a_window_equals_its_formula() -> None:
    """Columns pooled by a loop, whose last group is not full, then both convolutions frame by frame."""
    net = network(window=4).eval()
    batch = clips(1, 4)
    inner, outer = net.project[0], net.project[2]
    with torch.no_grad():
        for norm in (net.convolve[1], net.convolve[5]):  # as after some training
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
        pooled = torch.stack([torch.stack([row[:4].max(), row[4:].max()]) for row in batch["inputs"]["a"][0]])
        rows = F.relu(pooled @ inner.weight.T + inner.bias) @ outer.weight.T + outer.bias  # (4, dim)
        for conv, norm in ((net.convolve[0], net.convolve[1]), (net.convolve[4], net.convolve[5])):
            said = []
            for t in range(len(rows)):
                seen = [conv.weight[:, :, 1 + j] @ rows[t + j] for j in (-1, 0, 1) if 0 <= t + j < len(rows)]
                scaled = (sum(seen) + conv.bias - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
                said.append(F.relu(norm.weight * scaled + norm.bias))
            rows = torch.stack([torch.maximum(said[t], said[t + 1]) for t in range(0, len(said) - 1, 2)])
        last = net.convolve[8]
        expected = F.relu(last.weight[:, :, 0] @ rows[0] + last.bias)
    torch.testing.assert_close(run(net, batch)[0, 0], expected)


def test_four_windows_are_learnt_by_heart() -> None:
    net = network(WIDE)
    batch, displacement = learnt(net, PositionHead(net.width, CLASSES, 8), PositionTargets(CLASSES, 8))
    expected = batch["targets"]["positions"][HELD].argmax(-1) + 0.5 - 4
    torch.testing.assert_close(displacement[HELD, :, 0], expected)


def test_the_first_ste_says_classes_alone() -> None:
    net = network(WIDE)
    head = WindowHead(net.width, CLASSES, 8)
    batch = four_windows(WindowTargets(CLASSES, 8))
    before, after, output = fit(net, head, batch, steps=80, lr=5e-3)
    assert after < 0.05 * before
    assert torch.equal(output["logits"] > 0, batch["targets"]["classes"] == 1)


@pytest.mark.parametrize(("arguments", "said"), [({"window": 3}, r"model\.clips\.clip_len: 3 frames")])
def test_wrong_arguments_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        network(**arguments)
