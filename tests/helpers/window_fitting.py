"""What every network of windows is tested for: clips to learn by heart, and windows of a stretch one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spotter.types import Batch, ClipFrames, Output, Spots, TargetMaker
from tests.helpers.networks import LAYOUT, both, clips

CLASSES = 3
WIDE: dict[str, Any] = {"a": {**LAYOUT["a"], "groups": [30, 30]}}
TWO: dict[str, Any] = {**LAYOUT, "b": {"fps": 2.0, "clock_fps": 1.0, "groups": [5]}}
HELD = [0, 1, 3]  # windows with a spot
SPOTS: list[tuple[list[int], list[float]]] = [([0], [3.2]), ([1], [6.5]), ([], []), ([2], [2.4])]


def four_windows(targets: TargetMaker, frames: int = 8) -> Batch:
    """Return four windows of 60 columns, two of which overhang the half, one without a spot."""
    batch = clips(4, frames, [(0, frames), (0, frames), (2, frames), (0, frames - 3)])
    rows = torch.randn(4, frames, 60, generator=torch.Generator().manual_seed(2)) * batch["valid"][..., None]
    batch["inputs"] = {"a": rows}
    made = [
        targets(
            Spots(np.array(label, np.int64), np.array(time), np.ones(len(label), bool)), ClipFrames(0, frames, 1, 0)
        )
        for label, time in SPOTS
    ]
    batch["targets"] = {key: torch.from_numpy(np.stack([each[key] for each in made])) for key in made[0]}
    return batch


def run(network: nn.Module, batch: Batch) -> Tensor:
    """Return the vectors of a batch's windows."""
    tokens: Tensor = network(batch["inputs"], batch["phase"], batch["valid"])
    return tokens


def fit(network: nn.Module, head: Any, batch: Batch, steps: int, lr: float) -> tuple[float, float, Output]:
    """Train on a batch; returns the first and the last loss, and what the trained head says in evaluation."""
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], lr=lr)
    losses = []
    for _ in range(steps):
        loss = head.loss(head(run(network, batch)), batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        output: Output = head.eval()(run(network.eval(), batch))
    return losses[0], losses[-1], output


def learnt(network: nn.Module, head: Any, targets: TargetMaker) -> tuple[Batch, Tensor]:
    """Assert that four windows and their classes are learnt by heart; return them, and the displacements (4, 1, K)."""
    batch = four_windows(targets)
    before, after, output = fit(network, head, batch, steps=80, lr=5e-3)
    assert after < 0.05 * before
    logits, displacement = both(head.predict(output))
    assert torch.equal(logits[:, 0] > 0, batch["targets"]["classes"][:, 0, 1:] == 1)
    return batch, displacement


def check_stretch(network: nn.Module, window: int) -> None:
    """Assert that a stretch gives at each frame what its window gives alone, the edges of the half repeated."""
    network.eval()
    ends = [(0, 17), (3, 13)]
    stretch = clips(2, 17, ends)
    out = run(network, stretch)
    assert out.shape == (2, 17, network.width)
    for clip, (low, high) in enumerate(ends):
        for frame in range(low, high):
            rows = [min(max(frame - window // 2 + i, low), high - 1) for i in range(window)]
            one = {"a": stretch["inputs"]["a"][clip : clip + 1, rows]}
            alone = network(one, {"a": torch.zeros(1)}, torch.ones(1, window, dtype=torch.bool))
            assert alone.shape == (1, 1, network.width)
            torch.testing.assert_close(out[clip, frame], alone[0, 0], atol=1e-5, rtol=1e-4)


def check_clips(build: Callable[[Any], nn.Module], window: int) -> None:
    """Assert shapes and finite numbers for clips that overhang the half, that lie outside, and for two streams."""
    network = build(LAYOUT).eval()
    overhang = clips(3, window, [(0, window), (2, window), (0, 0)])
    tokens = run(network, overhang)
    assert tokens.shape == (3, 1, network.width)
    assert torch.isfinite(tokens).all()
    assert torch.isfinite(run(network, clips(1, window + 5, [(0, 0)]))).all()
    repeated = {**overhang, "valid": torch.ones(3, window, dtype=torch.bool)}
    rows = overhang["inputs"]["a"].clone()
    rows[1, :2] = rows[1, 2]
    torch.testing.assert_close(run(network, {**repeated, "inputs": {"a": rows}})[:2], tokens[:2])
    network = build(TWO).eval()
    batch = clips(2, window + 4)
    batch["inputs"]["b"] = torch.randn(2, 2 * (window + 4), 5)
    batch["phase"]["b"] = torch.zeros(2)
    tokens = run(network, batch)
    assert tokens.shape == (2, window + 4, network.width)
    other = {**batch["inputs"], "b": -batch["inputs"]["b"]}
    assert not torch.allclose(run(network, {**batch, "inputs": other}), tokens)
