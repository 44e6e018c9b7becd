"""In what a CPU computes: float32 where nothing is said, bf16 with every network of video."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spotter.inference.engine import Compute
from spotter.inference.precision import fast_precision
from spotter.models.system import System
from tests.models.test_system import VIDEO

CPU = torch.device("cpu")


def test_a_cpu_computes_in_full_precision_whatever_it_is() -> None:
    """So that the same weights have the same scores on any day."""
    assert fast_precision(CPU) == "32"


def video(target: str, frames: int, head: dict[str, Any], grey: bool = False, **network: Any) -> System:
    """Return a small system of one of the video networks."""
    source = {**VIDEO["source"], "size": [64, 64], "grey": grey}
    parts = {"network": {"_target_": target, **network}, "head": head, "clips": {"clip_len": frames}}
    return System.build({**VIDEO, "source": source, **parts})


FRAMES, SMALL = VIDEO["head"], {"backbone": "resnet10t"}
MIDDLE = {"_target_": "spotter.models.baikulov.head.MiddleHead", "window": 5}
SYSTEMS: dict[str, tuple[str, int, dict[str, Any], bool, dict[str, Any]]] = {
    "grey": ("e2e_spot.network.E2ESpot", 8, FRAMES, True, SMALL),
    "short": ("t_deed.network.TDeed", 8, FRAMES, False, {**SMALL, "clip_len": 8}),
    "two sizes": ("adaspot.network.AdaSpot", 8, FRAMES, False, {**SMALL, "clip_len": 8, "side": 32}),
    "stacks": ("baikulov.network.Baikulov", 5, MIDDLE, True, {**SMALL, "window": 5, "blocks": 1, "dim": 8}),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_network_of_video_computes_in_bf16_on_a_cpu(name: str) -> None:
    """Whatever colours it reads, and however short its clips are."""
    target, frames, head, grey, network = SYSTEMS[name]
    system = video(f"spotter.models.{target}", frames, head, grey, **network).fused()
    images = torch.rand(2, frames, system.spec.layout["video"]["channels"], 64, 64)
    valid = torch.ones(2, frames, dtype=torch.bool)
    with torch.inference_mode():
        exact = system.network({"video": images}, {}, valid)
        with Compute(CPU, "bf16").autocast():
            rounded = system.network({"video": images}, {}, valid)
    assert torch.allclose(rounded.float(), exact, atol=0.05 * exact.abs().max().item())
    assert not torch.equal(rounded.float(), exact)
