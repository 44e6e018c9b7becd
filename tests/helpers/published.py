"""Checkpoints of other codebases' video systems by a formula, and clips for them; see ``golden``."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.helpers import golden

Shapes = Mapping[str, tuple[int, ...]]
Rule = Callable[[np.ndarray, tuple[int, ...]], np.ndarray]
SMALL: Rule = lambda u, shape: 0.4 * u - 0.2  # noqa: E731
NEAR_ONE: Rule = lambda u, shape: 0.8 + 0.4 * u  # noqa: E731


def expected(system: str) -> dict[str, Any]:
    """Return what the reference implementation of a system says."""
    content: dict[str, Any] = json.loads(Path(__file__).with_name(f"golden_{system}.json").read_text(encoding="utf-8"))
    return content


def digest(shapes: Shapes) -> str:
    """Return a hash of names, order and shapes."""
    return hashlib.sha256("\n".join(f"{name} {list(shape)}" for name, shape in shapes.items()).encode()).hexdigest()


def weights(shapes: Shapes, rules: Mapping[str, Rule]) -> dict[str, Tensor]:
    """Return a state dict by ``golden.tensor``, except for names that ``rules`` match; the order counts."""
    state = {}
    for number, (name, shape) in enumerate(shapes.items()):
        rule = next((rule for pattern, rule in rules.items() if re.search(pattern, name)), None)
        if rule is None or name.endswith("num_batches_tracked"):
            state[name] = golden.tensor(name, shape, number)
        else:
            state[name] = torch.from_numpy(rule(golden.noise(shape, number), shape)).float()
    return state


def by_fan_in(factor: float) -> Rule:
    """Return the rule for weights that are uniform around 0, by what goes into each output."""
    return lambda u, shape: (2 * u - 1) * math.sqrt(factor / math.prod(shape[1:]))


def waves(frames: int, height: int, width: int, colours: int = 3) -> np.ndarray:
    """Return a clip (T, C, H, W) of sines that drift, from -1 to 1."""
    t, c, y, x = np.meshgrid(*map(np.arange, (frames, colours, height, width)), indexing="ij")
    phase: np.ndarray = 0.9 * (t + 1) + 0.7 * c + 0.11 * y * (1 + 0.07 * t) + 0.07 * x * (1 + 0.05 * t)
    return np.sin(phase)


def normalised(pixels: np.ndarray) -> Tensor:
    """Return a clip of pixels from 0 to 1 as a batch, normalised for networks of ImageNet."""
    mean, std = (np.array(each)[:, None, None] for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return torch.from_numpy((pixels - mean) / std).float()[None]
