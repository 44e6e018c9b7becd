"""Weights and pictures by a formula, and what the reference implementation makes of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spotter.models.pretrained.e2e_spot import build_modules, published_names

CLIP_LEN, CLASSES = 12, 2
LOGITS = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))


def noise(shape: tuple[int, ...], number: int) -> np.ndarray:
    """Return numbers from 0 to 1 that depend on nothing but the shape and a number."""
    place = np.arange(1, math.prod(shape) + 1, dtype=np.float64)
    value = np.sin(12.9898 * place + 78.233 * number) * 43758.5453
    return (value - np.floor(value)).reshape(shape)


def tensor(name: str, shape: tuple[int, ...], number: int) -> Tensor:
    """Return the tensor of a name that stands at a place among all."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(7)
    value = noise(shape, number)
    if name.endswith("running_var"):
        value = 0.5 + value
    elif len(shape) == 1 and name.endswith(".weight"):
        value = 0.8 + 0.4 * value
    elif len(shape) == 1:
        value = 0.4 * value - 0.2
    elif "conv3D" in name:
        value = 0.6 * value - 0.3
    else:
        value = (2 * value - 1) * math.sqrt(3 / math.prod(shape[1:]))
    return torch.from_numpy(value).float()


def weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return a state dict; the order of names counts."""
    return {name: tensor(name, shape, number) for number, (name, shape) in enumerate(shapes.items())}


def pictures() -> Tensor:
    """Return one normalised clip (1, 12, 3, 64, 112)."""
    return torch.from_numpy(3.4 * noise((1, CLIP_LEN, 3, 64, 112), 100000) - 1.7).float()


def state_of(
    shift: str = "gsm", temporal: str = "gru", backbone: str = "regnety_002", classes: int = CLASSES
) -> dict[str, Tensor]:
    """Return a published checkpoint: names, order and shapes as the reference has them, weights by formula."""
    network, head = build_modules({"backbone": backbone, "shift": shift, "temporal": temporal}, classes)
    sizes = {f"network.{name}": value.shape for name, value in network.state_dict().items()}
    sizes |= {f"head.{name}": value.shape for name, value in head.state_dict().items()}
    shapes = {their: tuple(sizes[name]) for name, their in published_names(network, head).items()}
    gates = {name: (2, shape[1], 3, 3, 3) for name, shape in shapes.items() if name.endswith("conv3D.weight")}
    return weights(shapes | gates)


def save(folder: Path, state: dict[str, Tensor], epoch: int = 3, **config: Any) -> Path:
    """Write a checkpoint and its ``config.json``."""
    folder.mkdir(exist_ok=True)
    torch.save(state, folder / f"checkpoint_{epoch:03d}.pt")
    if config:
        (folder / "config.json").write_text(json.dumps(config))
    return folder / f"checkpoint_{epoch:03d}.pt"
