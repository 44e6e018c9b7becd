"""Run a system of video and its plain backbone alternately and print their CPU seconds, as JSON; see test_systems."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import timm
import torch
from torch import Tensor, nn

from spotter.inference.allocator import keep_freed_memory
from spotter.models.adaspot.network import AdaSpot
from spotter.models.baikulov.network import STACK, Baikulov
from spotter.models.base import Network
from spotter.models.comedian.network import Comedian
from spotter.models.t_deed.network import TDeed
from tests.benchmarks.pairs import cpu_seconds

CLASSES, FRAMES, SIDE, WINDOW = 12, 32, 224, 29
REGNET = "regnety_002"


@dataclass(frozen=True)
class System:
    """Hold a system and what it is compared with.

    network : made anew for each process
    backbone : of timm
    clip : images that the system sees, (1, T, C, H, W)
    images : what the backbone alone sees of them
    """

    network: Callable[[], Network]
    backbone: str
    clip: Tensor
    images: Tensor


def systems(name: str) -> System:
    """Return a system by its name, in its published size except for clips of 32 images."""
    torch.manual_seed(0)
    layout: Any = {"video": {"fps": 12.5, "height": SIDE, "width": SIDE, "channels": 1 if name == "baikulov" else 3}}
    clip = torch.rand(1, FRAMES, SIDE, SIDE, 3).permute(0, 1, 4, 2, 3)  # as images come: channels last
    if name == "baikulov":
        grey = torch.rand(1, WINDOW, 1, SIDE, SIDE)
        stacks = torch.rand(WINDOW // 2 // STACK + 1, STACK, SIDE, SIDE)
        return System(lambda: Baikulov(layout, WINDOW), "tf_efficientnetv2_b0", grey, stacks)
    if name == "comedian":
        return System(lambda: Comedian(layout, FRAMES), "vit_tiny_patch16_224", clip, clip[0, ::2])
    if name == "adaspot":
        return System(lambda: AdaSpot(layout, CLASSES, FRAMES), REGNET, clip, clip[0])
    return System(lambda: TDeed(layout, FRAMES), REGNET, clip, clip[0])


def runs_of(mode: str, name: str) -> dict[str, Callable[[], object]]:
    """Return a training step, or a pass in evaluation, of the system (``ours``) and of its backbone (``plain``)."""
    system = systems(name)
    network, plain = system.network(), timm.create_model(system.backbone, num_classes=0)
    valid = torch.ones(system.clip.shape[:2], dtype=torch.bool)
    forwards: dict[str, tuple[nn.Module, Callable[[], Tensor]]] = {
        "ours": (network, lambda: network({"video": system.clip}, {}, valid)),
        "plain": (plain, lambda: plain(system.images)),
    }
    if mode == "infer":
        network.eval().fuse_batchnorm()
        plain.eval()
        return {key: torch.no_grad()(forward) for key, (_, forward) in forwards.items()}
    return {key: step(module.train(), forward) for key, (module, forward) in forwards.items()}


def step(network: nn.Module, forward: Callable[[], Tensor]) -> Callable[[], None]:
    """Return one step of AdamW."""
    optimizer = torch.optim.AdamW(network.parameters())

    def run() -> None:
        forward().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def main(mode: str, name: str, rounds: str) -> None:
    """Run both once to warm up, then in turn for ``rounds``."""
    torch.set_num_threads(1)
    keep_freed_memory()  # as training and prediction do
    runs = runs_of(mode, name)
    took: dict[str, list[float]] = {key: [] for key in runs}
    for number in range(1 + int(rounds)):
        for key, run in runs.items():
            taken = cpu_seconds(run)
            if number:
                took[key].append(taken)
    sys.stdout.write("\n" + orjson.dumps(took).decode() + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
