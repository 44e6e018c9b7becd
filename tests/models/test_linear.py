"""The linear model knows the frame and nothing else."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from spotter.models.linear import PerFrame
from tests.helpers.networks import LAYOUT, clips


def test_a_frame_is_its_own_normalised_features() -> None:
    net = PerFrame(LAYOUT)
    batch = clips(2, 6)
    rows = batch["inputs"]["a"]
    expected = torch.cat([F.layer_norm(rows[..., :4], (4,)), F.layer_norm(rows[..., 4:], (3,))], -1)
    out = net(batch["inputs"], batch["phase"], batch["valid"])
    assert net.width == out.shape[-1] == 7
    torch.testing.assert_close(out, expected)
    other = rows.clone()
    other[:, 3] = 9
    changed = (net({"a": other}, batch["phase"], batch["valid"]) != out).any(-1)
    assert changed.any(0).tolist() == [False, False, False, True, False, False], "no context"


def test_streams_stand_side_by_side_at_the_anchors_rate() -> None:
    layout = {**LAYOUT, "b": {"fps": 2.0, "clock_fps": 1.0, "groups": [5]}}
    batch = clips(2, 6)
    inputs = {**batch["inputs"], "b": torch.randn(2, 14, 5)}
    net = PerFrame(layout, upsample=2)
    out = net(inputs, {**batch["phase"], "b": torch.zeros(2)}, batch["valid"])
    assert out.shape == (2, 12, 12)
    torch.testing.assert_close(out[..., 7:], F.layer_norm(inputs["b"], (5,))[:, :12])
    torch.testing.assert_close(out[:, ::2, :4], F.layer_norm(inputs["a"][..., :4], (4,)))


def test_the_last_anchor_of_a_half_is_free_of_what_follows() -> None:
    net = PerFrame(LAYOUT, upsample=2)
    batch = clips(1, 6, [(0, 4)])
    out = net(batch["inputs"], batch["phase"], batch["valid"])
    torch.testing.assert_close(out[:, 7], out[:, 6])
