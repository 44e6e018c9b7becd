"""Checkpoints of the pooling codebases by formula, and what their networks make of features, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.helpers.golden import weights

CLUSTERS, DIM = 4, 6
Shapes = dict[str, tuple[int, ...]]


def shapes_of(kind: str, classes: int = 17, columns: int = DIM, dim: int = DIM) -> Shapes:
    """Return names and shapes of a kind as its codebase calls it, ``NetVLAD/sn`` for the one of the baselines."""
    plain = kind.rstrip("+")
    parts = ["pool_layer_before", "pool_layer_after"] if kind.endswith("++") else ["pool_layer"]
    each = CLUSTERS // len(parts)
    shapes: Shapes = {}
    if columns != dim:
        shapes |= {"feature_extractor.weight": (dim, columns), "feature_extractor.bias": (dim,)}
    if kind == "NetVLAD/sn":
        shapes |= {"pool_layer.centroids": (CLUSTERS, dim), "pool_layer.conv.weight": (CLUSTERS, dim, 1, 1)}
    elif plain in ("NetVLAD", "NetRVLAD"):
        shapes |= {f"{part}.clusters": (dim, each) for part in parts}
        shapes |= {f"{part}.clusters2": (1, dim, each) for part in parts} if plain == "NetVLAD" else {}
    width = dim * (CLUSTERS if "VLAD" in kind else len(parts))
    return {**shapes, "fc.weight": (1 + classes, width), "fc.bias": (1 + classes,)}


def save(path: Path, shapes: Shapes, **more: Any) -> dict[str, Tensor]:
    """Write a ``model.pth.tar`` as those codebases do; returns its tensors."""
    state = weights(shapes)
    torch.save({"epoch": 93, "state_dict": state, "best_loss": 0.17, "optimizer": {"state": {}}, **more}, path)
    return state


def reference(kind: str, state: dict[str, Tensor], window: Tensor) -> Tensor:
    """Return the probabilities (1 + K,) of one window (T, columns), with loops over clusters and frames."""
    rows = window
    if "feature_extractor.weight" in state:
        rows = rows @ state["feature_extractor.weight"].T + state["feature_extractor.bias"]
    plain, middle = kind.rstrip("+"), len(rows) // 2
    if not kind.endswith("++"):
        pooled = _pooled(plain, state, "pool_layer", rows)
    else:
        before = _pooled(plain, state, "pool_layer_before", rows[:middle])
        pooled = torch.cat((before, _pooled(plain, state, "pool_layer_after", rows[middle:])))
    return torch.sigmoid(state["fc.weight"] @ pooled + state["fc.bias"])


def _pooled(kind: str, state: dict[str, Tensor], part: str, rows: Tensor) -> Tensor:
    if kind in ("MAX", "AVG"):
        return rows.max(0).values if kind == "MAX" else rows.mean(0)
    if kind == "NetVLAD/sn":
        assignment, centres = state[f"{part}.conv.weight"][:, :, 0, 0].T, state[f"{part}.centroids"].T
    else:
        assignment = state[f"{part}.clusters"]
        centres = state[f"{part}.clusters2"][0] if kind == "NetVLAD" else torch.zeros_like(assignment)
    vlad = torch.zeros_like(assignment)  # (D, K)
    for row in rows:
        unit = row / row.norm()
        shares = torch.softmax(unit @ assignment, 0)
        for cluster in range(len(shares)):
            vlad[:, cluster] += shares[cluster] * (unit - centres[:, cluster])
    vlad = vlad / vlad.norm(dim=0, keepdim=True)
    flat = vlad.T.flatten() if kind == "NetVLAD/sn" else vlad.flatten()  # cluster by cluster, feature by feature
    return flat / flat.norm()
