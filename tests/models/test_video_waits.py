"""No network of video waits for a device: meta tensors, which have no numbers, go through all of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spotter.models.adaspot.network import AdaSpot
from spotter.models.adaspot.region import cut_regions, find_regions
from spotter.models.baikulov.head import MiddleHead
from spotter.models.baikulov.network import Baikulov
from spotter.models.base import Head, Network
from spotter.models.blocks.displaced import DisplacedHead
from spotter.models.blocks.frame import FrameHead
from spotter.models.clip_classifier.divided import DividedTransformer
from spotter.models.clip_classifier.head import ClipHead
from spotter.models.clip_classifier.network import ShiftedClips
from spotter.models.comedian.network import Comedian
from spotter.models.t_deed.network import TDeed
from spotter.types import Batch, ClipFrames, Spots

K, SIZE = 2, 64


def layout(channels: int) -> Any:
    return {"video": {"fps": 5.0, "height": SIZE, "width": SIZE, "channels": channels}}


def made(name: str) -> tuple[Network, Head, int]:
    if name == "t_deed":
        network: Network = TDeed(layout(3), 9, "resnet10t", layers=1, kernel=3)
        return network, DisplacedHead(network.width, K), 9
    if name == "baikulov":
        network = Baikulov(layout(1), 9, 1, "resnet10t", blocks=1, dim=8)
        return network, MiddleHead(network.width, K, 9, 3), 9
    if name == "comedian":
        network = Comedian(layout(3), 8, image=[32, 32], depth=1, spatial_args={"depth": 1})
        return network, FrameHead(network.width, K), 8
    if name == "clip_classifier":
        network = ShiftedClips(layout(3), 8, "resnet10t", shift="tsm")
        return network, ClipHead(network.width, K, 8), 8
    if name == "clip_transformer":
        network = DividedTransformer(layout(3), 8, 24, 2, 2)
        return network, ClipHead(network.width, K, 8), 8
    return AdaSpot(layout(3), K, 9, "resnet10t", side=32, threshold=0.3), FrameHead(0, K, mean_of_stages=True), 9


@pytest.mark.parametrize("name", ["t_deed", "baikulov", "adaspot", "comedian", "clip_classifier", "clip_transformer"])
def test_a_step_asks_for_no_number(name: str) -> None:
    with torch.device("meta"):
        network, head, frames = made(name)
    network.to("meta"), head.to("meta")
    channels = 1 if name == "baikulov" else 3
    video = torch.zeros(2, frames, channels, SIZE, SIZE, device="meta")
    valid = torch.ones(2, frames, dtype=torch.bool, device="meta")
    targets = head.targets(Spots.empty(), ClipFrames(0, frames, 5.0))
    batch: Any = {"valid": valid}
    batch["targets"] = {
        key: torch.from_numpy(value)[None].expand(2, *value.shape).to("meta") for key, value in targets.items()
    }
    head.loss(head(network({"video": video}, {}, valid)), Batch(**batch))["loss"].backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert head.predict(head(network.eval()({"video": video}, {}, valid)))["logits"].device.type == "meta"


def test_regions_ask_for_no_number() -> None:
    centres, sides = find_regions(torch.zeros(2, 9, 4, 4, device="meta"), (SIZE, SIZE), 32, 0.3)
    regions = cut_regions(torch.zeros(18, 3, SIZE, SIZE, device="meta"), centres.flatten(0, 1), sides.flatten(), 32)
    assert regions.shape == (18, 3, 32, 32)
