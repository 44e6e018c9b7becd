"""T-DEED checkpoints as its codebase writes them: names, order and shapes, weights by formula."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spotter.models.pretrained.t_deed import TDeedReference, build_reference, published_names
from tests.helpers.published import NEAR_ONE, SMALL, waves, weights
from tests.helpers.published import normalised as normalise

SGP = ("ln", "gn", "psi", "fc", "convw", "convkw", "global_fc", "mlp")
MIXER = ("ln1", "ln2", "gn", "psi1", "psi2", "convw1", "convkw1", "convw2", "convkw2", "fc1", "global_fc1", "fc2",
         "global_fc2", "mlp", "concat_fc")  # fmt: skip
RULES = {"^temp_enc$": SMALL, r"\.ln[12]?\.weight": NEAR_ONE, r"\.ln[12]?\.bias": SMALL}


def reference(frames: int = 12, **changes: Any) -> TDeedReference:
    """Return a small network of random weights; two heads where ``outputs`` are."""
    outputs, displaced = changes.pop("outputs", (3,)), changes.pop("displaced", True)
    sizes = {"clip_len": frames, "shift": "gsf", "layers": 2, "kernel": 5, "ratio": 2}
    return build_reference({**sizes, **changes}, outputs, displaced)


def shapes_of(model: TDeedReference) -> dict[str, tuple[int, ...]]:
    """Return names and shapes in the order of the codebase."""
    sizes = {their: tuple(model.state_dict()[ours].shape) for ours, their in published_names(model).items()}
    shapes = {name: _shape(name, shape) for name, shape in sizes.items()}
    return {name: shapes[name] for name in sorted(shapes, key=_place(list(shapes)))}


def state_of(model: TDeedReference) -> dict[str, Tensor]:
    """Return a state dict of the codebase."""
    return weights(shapes_of(model), RULES)


def save(folder: Path, state: dict[str, Tensor], **config: Any) -> Path:
    """Write a checkpoint and its ``config.json``."""
    folder.mkdir(exist_ok=True)
    torch.save(state, folder / "checkpoint_best.pt")
    if config:
        (folder / "config.json").write_text(json.dumps(config))
    return folder / "checkpoint_best.pt"


def clip(frames: int) -> Tensor:
    """Return a normalised clip (1, T, 3, 64, 112)."""
    return normalise((127.5 + 127.5 * waves(frames, 64, 112)) / 255)


def _shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if name.endswith("conv3D.weight"):
        return (2, shape[1], 3, 3, 3)
    return (1, *shape, 1) if ".ln" in name else shape


def _place(names: list[str]) -> Any:
    roots = ("temp_enc", "_features", "_temp_fine", "_pred_fine", "_pred_displ")

    def place(name: str) -> tuple[int, ...]:
        root, *parts = name.split(".")
        if root != "_temp_fine":
            return roots.index(root), names.index(name)
        order = SGP if parts[0] == "_sgp" else MIXER
        return 2, parts[0] != "_sgp", int(parts[1]), order.index(parts[2]), names.index(name)

    return place
