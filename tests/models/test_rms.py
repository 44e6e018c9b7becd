"""RMS-Net gives every window of a stretch what it gives it alone, and learns classes and places."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from spotter.errors import UserError
from spotter.models.rms import OffsetHead, OffsetTargets, RMSNet
from tests.helpers.networks import LAYOUT, clips
from tests.helpers.window_fitting import CLASSES, HELD, WIDE, check_clips, check_stretch, learnt, run


def network(layout: Any = LAYOUT, window: int = 8, **more: Any) -> RMSNet:
    torch.manual_seed(0)
    return RMSNet(layout, window, **{"dim": 16, "width": 24, "kernel": 3, **more})


@pytest.mark.parametrize("window", [8, 11])
def test_a_stretch_gives_at_each_frame_what_its_window_gives(window: int) -> None:
    check_stretch(network(window=window), window)


def test_clips_at_and_outside_the_ends_of_a_half() -> None:
    check_clips(lambda layout: network(layout), 8)


@pytest.mark.parametrize("kernel", [3, 5])
def test_the_vector_of_a_window_equals_its_formula(kernel: int) -> None:
    """Every frame convolved by a loop, pooled in pairs, all that is left multiplied at once."""
    net = network(window=6, layers=1, kernel=kernel, normalise=True).eval()
    batch = clips(1, 6)
    first, second = net.trunk[0][0], net.trunk[2]
    assert isinstance(second, nn.Linear)
    with torch.no_grad():
        rows = []
        for row in batch["inputs"]["a"][0]:
            parts = [(part - part.mean()) / (part.var(unbiased=False) + 1e-5).sqrt() for part in row.split([4, 3])]
            projections = net.embed.streams["a"].projections
            rows.append(
                F.relu(sum(each.weight @ part + each.bias for each, part in zip(projections, parts, strict=True)))
            )
        said = []
        for t in range(6):
            around = [t - kernel // 2 + j for j in range(kernel)]
            seen = [first.weight[:, :, j] @ rows[at] for j, at in enumerate(around) if 0 <= at < 6]
            said.append(F.relu(sum(seen) + first.bias))
        pooled = torch.stack([torch.maximum(said[t], said[t + 1]) for t in (0, 2, 4)])  # (3, dim)
        expected = F.relu(second.weight @ pooled.T.flatten() + second.bias)
    torch.testing.assert_close(run(net, batch)[0, 0], expected)


def test_four_windows_are_learnt_by_heart() -> None:
    net = network(WIDE)
    batch, displacement = learnt(net, OffsetHead(net.width, CLASSES, 8), OffsetTargets(CLASSES, 8))
    expected = 8 * batch["targets"]["offset"][HELD] - 4
    torch.testing.assert_close(displacement[HELD, :, 0], expected, atol=0.3, rtol=0)


@pytest.mark.parametrize(("arguments", "said"), [({"window": 3}, r"model\.clips\.clip_len: 3 frames")])
def test_wrong_arguments_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        network(**arguments)
