"""CALF-calibration gives what the published networks give, and draws the pitch as they do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spotter.errors import UserError
from spotter.models.calf.head import CalfHead
from spotter.models.calf.network import Calf
from spotter.models.calf.players import CalfPlayers, TopViewBranch
from spotter.models.calf.top_view import HEIGHT, WIDTH, TopView, pitch_lines, pixels
from tests.helpers.golden import weights

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "calf_calibration.json").read_text())
CLASSES, CAPSULE, SLOTS = 8, 16, 25
COLUMNS = 9 + 7 * SLOTS
VIDEO: dict[str, Any] = {"resnet": {"fps": 2.0, "clock_fps": 2.0, "groups": [512]}}
NAMES = {
    "conv_1": "video.embed.streams.resnet.projections.0",
    "conv_2": "video.narrow.1",
    "r_conv_1": "players.look.0",
    "r_conv_2": "players.look.3",
    "dense_1": "players.0",
    **{f"conv_p_{i + 1}": f"video.pyramid.{i}.1" for i in range(4)},
    **{f"r_conv_p_{i + 1}": f"players.pyramid.{i}.1" for i in range(4)},
    "conv_seg": "capsules",
    "batch_seg": "norm",
    "conv_spot_1": "branch.2",
    "conv_spot_2": "branch.5",
    "conv_conf": "place",
    "conv_class": "label",
}


def layout(columns: int = COLUMNS) -> dict[str, Any]:
    return {**VIDEO, "players": {"fps": 2.0, "clock_fps": 2.0, "groups": [columns]}}


def network(players: str, columns: int = COLUMNS) -> CalfPlayers:
    return CalfPlayers(layout(columns), 80, players).eval()


def head(width: int, classes: int = CLASSES) -> CalfHead:
    return CalfHead(width, classes, 240, [[-20, -10, 10, 20]], neutral=40).eval()


def load(parts: tuple[torch.nn.Module, ...], keys: dict[str, list[int]]) -> None:
    """Give parts the weights of the published network, whose capsules lie dimension by dimension."""
    theirs = weights({key: tuple(shape) for key, shape in keys.items()})
    order = torch.arange(CLASSES * CAPSULE).view(CAPSULE, CLASSES).T.flatten()
    for name in ("conv_seg.weight", "conv_seg.bias"):
        theirs[name] = theirs[name][order]
    first = torch.cat((order, CLASSES * CAPSULE + torch.arange(CLASSES)))
    theirs["conv_spot_1.weight"] = theirs["conv_spot_1.weight"][:, first]
    ours = {f"{NAMES[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value for key, value in theirs.items()}
    used = set()
    for part in parts:
        state = part.state_dict()
        part.load_state_dict(
            {name: ours[name].reshape(value.shape) for name, value in state.items() if name in ours}, strict=False
        )
        assert set(state) <= set(ours) | {"margins"}
        used |= set(state)
    assert set(ours) <= used


def formulas() -> tuple[Tensor, Tensor, Tensor]:
    """Return video (240, 512), images (240, 3, 32, 64) and vectors (240, 512)."""
    frame, column = np.arange(240)[:, None], np.arange(512)
    video = ((37 * frame + 101 * column) % 97) / 97 - 0.5 + 0.5 * np.sin(0.05 * frame + 0.01 * column)
    vector = ((53 * frame + 29 * column) % 89) / 89
    t, c, y, x = np.ogrid[:240, :3, :32, :64]
    image = np.sin(0.03 * t * (1 + c) + 0.4 * y + 0.2 * x)
    return torch.from_numpy(video).float(), torch.from_numpy(image).float(), torch.from_numpy(vector).float()


@pytest.mark.parametrize("name", ["image_3dconv_visual_8", "image_resnet34_dense_visual_8"])
def test_outputs_are_theirs(name: str) -> None:
    golden, (video, image, vector) = GOLDEN[name], formulas()
    shown = name.startswith("image_3d")
    net = network("image") if shown else network("vector", 512)
    top = head(net.width)
    load((net, top), golden["keys"])
    assert sum(p.numel() for part in (net, top) for p in part.parameters()) == GOLDEN["parameter_counts"][name]
    valid, phase = torch.ones(1, 240, dtype=torch.bool), {"resnet": torch.zeros(1)}
    with torch.no_grad():
        tokens = net.video({"resnet": video[None]}, phase, valid)
        branch = net.players
        assert branch is not None
        beside = branch.see(image[None]) if isinstance(branch, TopViewBranch) else branch(vector[None])
        output = top(torch.cat((tokens, beside), dim=2))
    slots = torch.cat((output["slots"][0, :3, :1].sigmoid(), output["slots"][0, :3, 1:]), dim=1)
    expected = torch.tensor(golden["segmentation_every_60th"])
    torch.testing.assert_close(output["segmentation"][0, ::60], expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(slots, torch.tensor(golden["spotting_first_3_slots"]), atol=1e-4, rtol=0)


def test_other_sizes_are_theirs() -> None:
    def count(*parts: torch.nn.Module) -> int:
        return sum(p.numel() for part in parts for p in part.parameters())

    counts = GOLDEN["parameter_counts"]
    alone = CalfPlayers(VIDEO, 80)
    assert count(alone, head(alone.width, 9)) == counts["plain_nonvisual_9"]
    efficient = network("vector", 1792)
    assert count(efficient, head(efficient.width)) == counts["efficientnet_b4_dense_visual_8"]
    plain = Calf(VIDEO, 80)
    assert count(plain, head(plain.width, 17)) == counts["plain_calf_17_multiplier_1"]


def rows(*players: tuple[float, float], calibrated: bool = True) -> Tensor:
    row = torch.zeros(1, 1, COLUMNS)
    row[..., 0] = calibrated
    row[..., 1:9] = torch.tensor([-30.0, -20, 10, -20, 5, 25, -25, 25])
    for slot, (x, y) in enumerate(players):
        row[..., 9 + 7 * slot : 16 + 7 * slot] = torch.tensor([1, x, y, 0.5, -0.25, 0.1 * slot, 0.2])
    return row


def test_a_player_is_a_dot_of_four_pixels_where_the_published_code_paints_it() -> None:
    image = TopView(SLOTS)(rows((10.0, -5.0), (10.0, -5.0), (-60.0, 0.0)))[0, 0]
    u, v = int(64 * (0.95 * 10 / 105 + 0.525)), int(32 * (0.95 * -5 / 68 + 0.525))
    dot = image[:, v - 1 : v + 1, u - 1 : u + 1]
    torch.testing.assert_close(dot, torch.tensor([0.5, -0.25, 0.1])[:, None, None].expand(3, 2, 2))
    coloured = (image[0] == 0.5).sum()
    assert coloured == 4, "the second covers the first, the third would leave the image"


def test_without_calibration_the_image_is_black_and_the_view_is_outlined() -> None:
    draw = TopView(SLOTS)
    assert (draw(rows((0.0, 0.0), calibrated=False)) == -1).all()
    outlined = draw(rows())[0, 0, 0].flatten() - pitch_lines()[0]
    assert 40 < (outlined > 0).sum() < 160
    column, row = pixels(torch.tensor([10.0, -20.0])).long().tolist()
    assert draw(rows())[0, 0, 0, row, column] > 1
    assert draw(rows()).shape == (1, 1, 3, HEIGHT, WIDTH)


def test_nobody_and_any_order_of_players_in_the_set() -> None:
    torch.manual_seed(0)
    net = network("graph")
    branch = net.players
    assert branch is not None
    first, second = rows((10.0, 0.0), (5.0, 3.0)), rows((10.0, 0.0), (5.0, 3.0))
    second[..., 9:16], second[..., 16:23] = first[..., 16:23], first[..., 9:16]
    with torch.no_grad():
        torch.testing.assert_close(branch(first), branch(second))
        assert torch.isfinite(branch(rows())).all()
        assert (branch(rows((1.0, 1.0))) != branch(rows())).any()


def test_wrong_layouts_are_named() -> None:
    with pytest.raises(UserError, match="101 columns are not 9 and 7 for each player"):
        network("image", 101)
    other = layout()
    other["players"]["fps"] = 25.0
    with pytest.raises(UserError, match="a row a frame"):
        CalfPlayers(other, 80)
    with pytest.raises(UserError, match="beside the players"):
        CalfPlayers({"players": layout()["players"]}, 80)
