"""Windows slid over a clip say what each says alone, and each stack goes through the 2-D network once."""

from __future__ import annotations

import pytest
import torch

from spotter.errors import UserError
from spotter.models.baikulov.network import Baikulov

SMALL = {"backbone": "resnet10t", "dim": 8, "blocks": 1, "at_once": 7}


def network(window: int = 17, step: int = 2) -> Baikulov:
    torch.manual_seed(0)
    return Baikulov({"video": {"channels": 1}}, window, step, **SMALL).eval()  # type: ignore[arg-type]


@torch.no_grad()
def test_a_window_within_a_clip_says_what_it_says_alone() -> None:
    model, seen = network(), []
    video, valid = torch.rand(2, 24, 1, 30, 40), torch.ones(2, 24, dtype=torch.bool)
    model.encoder.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    slid = model({"video": video}, {}, valid)
    assert slid.shape == (2, 24, 24)
    assert sum(seen) == 2 * (24 + 16 - 4), "a stack spans 5 frames, and the windows of all frames 24 + 16"
    for middle in (8, 11, 15):
        alone = model({"video": video[:, middle - 8 : middle + 9]}, {}, valid[:, :17])
        torch.testing.assert_close(alone[:, 0], slid[:, middle], rtol=1e-4, atol=1e-5)
    assert seen[-1] == 2 * 3, "the three stacks of one window"


@torch.no_grad()
def test_frames_outside_the_half_are_its_edges() -> None:
    model, video = network(), torch.rand(1, 24, 1, 32, 32)
    inside = torch.arange(24)[None] >= 5
    video[~inside] = 0
    repeated = video.clone()
    repeated[~inside] = video[:, 5]
    slid = model({"video": video}, {}, inside)
    torch.testing.assert_close(slid[:, 8:], model({"video": repeated}, {}, torch.ones_like(inside))[:, 8:])


def test_what_it_cannot_read_is_named() -> None:
    with pytest.raises(UserError, match="grey"):
        Baikulov({"video": {"channels": 3}})
    with pytest.raises(UserError, match="clip_len"):
        network(19)
    frozen = Baikulov({"video": {"channels": 1}}, freeze=True, **SMALL)  # type: ignore[arg-type]
    assert not any(parameter.requires_grad for parameter in frozen.encoder.parameters())
    assert all(parameter.requires_grad for parameter in frozen.project2d.parameters())
