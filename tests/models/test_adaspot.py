"""Regions lie where a map is high, within the image, whatever their size; a network is trained by all three scores."""

from __future__ import annotations

import pytest
import torch

from spotter.errors import UserError
from spotter.models.adaspot.network import AdaSpot
from spotter.models.adaspot.region import cut_regions, find_regions, smooth_map
from spotter.models.blocks.frame import FrameHead
from spotter.types import Batch

LAYOUT = {"video": {"fps": 5.0, "height": 64, "width": 96}}


def test_a_region_follows_what_stands_out() -> None:
    maps = torch.zeros(1, 16, 7, 13)
    maps[0, :, 1, 2], maps[0, :, 5, 2] = 1.0, 0.2
    maps[0, 8:] = maps[0, 8:].flip(-1)
    centres, sides = find_regions(maps, (448, 832), 112, 0.0)
    assert sides.tolist() == [[112] * 16]
    torch.testing.assert_close(centres[0, 0], torch.tensor([1.5 / 7, 2.5 / 13]), atol=0.03, rtol=0)
    assert centres[0, 15, 1] > 0.5
    torch.testing.assert_close(smooth_map(maps).sum((-2, -1)), torch.ones(1, 16))


def test_larger_squares_hold_more_and_the_largest_lies_in_the_middle() -> None:
    maps = torch.zeros(1, 1, 8, 8)
    maps[..., 1, 1] = maps[..., 1, 6] = 1.0
    sides = {threshold: find_regions(maps, (256, 256), 112, threshold) for threshold in (0.3, 0.9, 1.1)}
    assert [int(side) for _, side in sides.values()] == sorted(int(side) for _, side in sides.values())
    centre, side = sides[1.1]
    assert (centre.flatten().tolist(), int(side)) == ([0.5, 0.5], 252)
    flat = find_regions(torch.zeros(2, 3, 4, 4), (128, 128), 112, 0.2)
    assert torch.isfinite(flat[0]).all()


def test_regions_are_cut_and_scaled_like_a_crop_that_is_resized() -> None:
    torch.manual_seed(0)
    images = torch.rand(3, 2, 90, 120)
    centres, sides = torch.tensor([[0.5, 0.5], [0.0, 1.0], [0.6, 0.3]]), torch.tensor([32, 32, 64])
    found = cut_regions(images, centres, sides, 32)
    torch.testing.assert_close(found[0], images[0, :, 29:61, 44:76], rtol=0, atol=1e-4)
    torch.testing.assert_close(found[1], images[1, :, :32, 87:119], rtol=0, atol=1e-4)
    crop = images[2:, :, 22:86, 4:68]
    scaled = torch.nn.functional.interpolate(crop, (32, 32), mode="bilinear")
    torch.testing.assert_close(found[2], scaled[0], rtol=0, atol=1e-4)


def test_all_scores_are_trained_and_the_joint_ones_kept() -> None:
    torch.manual_seed(0)
    network = AdaSpot(LAYOUT, 2, 6, "resnet10t", side=32)  # type: ignore[arg-type]
    head = FrameHead(network.width, 2, mean_of_stages=True)
    video, valid = torch.randn(2, 6, 3, 64, 96), torch.ones(2, 6, dtype=torch.bool)
    target = torch.eye(3)[torch.zeros(2, 6, dtype=torch.long)]
    batch = Batch(inputs={}, phase={}, valid=valid, targets={"classes": target})  # type: ignore[typeddict-item]
    scores = network({"video": video}, {}, valid)
    assert scores.shape == (3, 2, 6, 3)
    each = [head.loss({"logits": stage}, batch)["loss"] for stage in scores]
    torch.testing.assert_close(head.loss({"logits": scores}, batch)["loss"], torch.stack(each).mean())
    head.loss({"logits": scores}, batch)["loss"].backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert network.eval()({"video": video}, {}, valid).shape == (1, 2, 6, 3)
    with pytest.raises(UserError, match="clip_len"):
        network({"video": torch.randn(1, 7, 3, 64, 96)}, {}, torch.ones(1, 7, dtype=torch.bool))
    with pytest.raises(UserError, match="side"):
        AdaSpot(LAYOUT, 2, 6, "resnet10t")  # type: ignore[arg-type]
