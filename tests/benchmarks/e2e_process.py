"""Run networks of video alternately and print their CPU seconds and peak memory, as JSON; started by test_e2e_spot."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable

import orjson
import timm
import torch
from torch import nn

from spotter.inference.allocator import keep_freed_memory
from spotter.models.blocks.frame import FrameHead
from spotter.models.e2e_spot.network import E2ESpot
from tests.benchmarks.pairs import cpu_seconds

CLASSES = 17


class Whole(nn.Module):
    """Make logits of clips (B, T, 3, H, W)."""

    def __init__(self, network: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Return (B, T, 1 + K)."""
        return self.head(self.network({"video": clips}, {}, None))["logits"]


class Plain(nn.Module):
    """Make features of clips by nothing but a backbone of timm."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = timm.create_model("regnety_002", num_classes=0)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Return (B * T, d)."""
        return self.backbone(clips.flatten(0, 1))


def build(name: str) -> nn.Module:
    """Return a network: ``plain`` as timm makes it, or ``gsm``, ``tsm``, ``none`` with a GRU and a head."""
    torch.manual_seed(0)
    if name == "plain":
        return Plain()
    network = E2ESpot({"video": {}}, CLASSES, shift=name)
    return Whole(network, FrameHead(network.width, CLASSES))


def training(name: str, clips: torch.Tensor) -> Callable[[], None]:
    """Return one step of AdamW."""
    network = build(name).train()
    optimizer = torch.optim.AdamW(network.parameters())

    def step() -> None:
        network(clips).mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def inference(name: str, clips: torch.Tensor) -> Callable[[], None]:
    """Return one pass of ``gsm``, or of its ``fused`` copy."""
    network = build("gsm").eval()
    if name == "fused":
        network.network.fuse_batchnorm()

    @torch.no_grad()
    def run() -> None:
        network(clips)

    return run


def main(mode: str, frames: str, rounds: str, *names: str) -> None:
    """Run each of ``names`` once to warm up, then in turn for ``rounds``."""
    torch.set_num_threads(1)
    keep_freed_memory()  # as training and prediction do
    clips = torch.rand(1, int(frames), 224, 224, 3).permute(0, 1, 4, 2, 3)  # as images come: channels last
    runs = {name: {"train": training, "infer": inference}[mode](name, clips) for name in names}
    took: dict[str, list[float]] = {name: [] for name in names}
    for number in range(1 + int(rounds)):
        for name, run in runs.items():
            taken = cpu_seconds(run)
            if number:
                took[name].append(taken)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write("\n" + orjson.dumps({"seconds": took, "peak_mb": peak}).decode() + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
