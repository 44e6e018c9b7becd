"""In what a network of video is computed on a CPU is found by a trial, and by nothing that the processor says."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spotter.inference import precision
from spotter.models.system import System
from tests.models.test_system import FEATURES, VIDEO

CPU = torch.device("cpu")


def dtype_of(system: System) -> torch.dtype:
    """Return that of the weights of the backbone."""
    return next(system.network.parameters()).dtype


@pytest.mark.parametrize(("times", "expected"), [(2.0, torch.bfloat16), (1.1, torch.float32), (0.5, torch.float32)])
def test_bfloat16_is_taken_where_a_trial_finds_it_much_faster(
    times: float, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_seconds", lambda system: 1.0 if dtype_of(system) == torch.bfloat16 else times)
    assert dtype_of(precision.fuse(System.build(VIDEO), CPU, None)) == expected


def test_nothing_is_tried_where_there_is_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_seconds", lambda system: pytest.fail("tried"))
    for description, device, given in (
        (VIDEO, CPU, "32"),
        (VIDEO, CPU, 32),
        (VIDEO, torch.device("cuda"), None),
        (FEATURES, CPU, None),
    ):
        assert dtype_of(precision.fuse(System.build(description), device, given)) == torch.float32


def test_a_trial_runs_the_network() -> None:
    system = System.build(VIDEO)
    assert precision._seconds(system.fused()) > 0
    assert precision._seconds(system.fused(torch.bfloat16)) > 0


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
def test_every_network_of_video_can_be_tried(name: str) -> None:
    """Whatever colours it reads, and however short its clips are."""
    target, frames, head, grey, network = SYSTEMS[name]
    system = video(f"spotter.models.{target}", frames, head, grey, **network)
    assert precision.fuse(system, CPU, None).network.training is False
