"""Checkpoints of the pooling baselines of SoccerNet and of NetVLAD++: understood, and put under our names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from spotter.checks import check_choice
from spotter.errors import UserError
from spotter.models.pooling import WindowPool
from spotter.models.pretrained.options import ImportOptions
from spotter.models.pretrained.tensors import check_tensors, plain_tensors

EXTRACTED = 512  # columns: NetVLAD++ projects features of any other width to it


@dataclass(frozen=True)
class PoolingCheckpoint:
    """Hold a checkpoint under the names of ``PoolingReference``.

    pool, clusters, aware : of the network; ``clusters`` of both halves together
    dim : columns of what is pooled
    columns : of the features
    classes : K, without background
    codebases : of which it can be
    """

    path: Path
    pool: str
    clusters: int
    aware: bool
    dim: int
    columns: int
    classes: int
    state: dict[str, Tensor]
    codebases: tuple[str, ...]


class PoolingReference(nn.Module):
    """Map windows of features (B, T, D), of any T, to probabilities (B, 1 + K), background first."""

    def __init__(self, found: PoolingCheckpoint) -> None:
        super().__init__()
        projected = found.columns != found.dim
        self.extractor = nn.Linear(found.columns, found.dim) if projected else nn.Identity()
        self.pool = WindowPool(found.pool, found.dim, found.clusters, found.aware)
        self.classes = nn.Linear(self.pool.width, 1 + found.classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return the probabilities of the windows; several classes may be probable."""
        pooled = self.pool(self.extractor(features), features.shape[1])[:, 0]  # (B, width)
        return self.classes(pooled).sigmoid()


def load_pooling(path: str | Path, options: ImportOptions) -> PoolingReference:
    """Return the network of a released checkpoint in eval mode, see ``load_published``."""
    if options.clip_len is not None:
        raise UserError("clip_len: is for e2e-spot, not for pooling baselines; leave it out")
    found = read_pooling(path, options.pool or "max")
    network = PoolingReference(found)
    network.load_state_dict(found.state)
    return network.eval()


def read_pooling(path: str | Path, pool: str = "max") -> PoolingCheckpoint:
    """Read a checkpoint file.

    pool : ``max`` or ``mean``, for files whose pool has no weights

    Raises UserError for a missing, damaged or foreign file, and for tensors that are too many, lacking or of odd shape.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no checkpoint {str(path)!r}")
    check_choice("pool", pool, ("max", "mean"))
    theirs = {key.removeprefix("module."): value.float() for key, value in plain_tensors(path).items()}
    if "fc.weight" not in theirs:
        raise UserError(f"{path}: no checkpoint of a pooling baseline; these hold fc.weight")
    halves = ["pool_layer_before", "pool_layer_after"]
    parts = halves if any(key.startswith(halves[0]) for key in theirs) else ["pool_layer"]
    if f"{parts[0]}.centroids" in theirs:
        return _netvlad(path, theirs)
    if f"{parts[0]}.clusters" in theirs:
        return _netvladpp(path, theirs, parts)
    return _plain(path, theirs, pool)


def _plain(path: Path, theirs: dict[str, Tensor], pool: str) -> PoolingCheckpoint:
    """Understand maximum and mean pooling, which both codebases have; only the later one pools halves."""
    rows, width = _sides(path, theirs, "fc.weight")
    dim = EXTRACTED if width == 2 * EXTRACTED else width
    if "feature_extractor.weight" in theirs:
        dim, _ = _sides(path, theirs, "feature_extractor.weight")
    aware = width == 2 * dim
    columns, extractor = _extractor(path, theirs, dim)
    _check(path, {**_classifier(rows, 2 * dim if aware else dim), **extractor}, theirs)
    codebases = ("netvladpp",) if aware or extractor else ("sn-pooling", "netvladpp")
    return PoolingCheckpoint(path, pool, 64, aware, dim, columns, rows - 1, _ends(theirs), codebases)


def _netvlad(path: Path, theirs: dict[str, Tensor]) -> PoolingCheckpoint:
    """Understand NetVLAD as in the baselines of SoccerNet, flattened cluster by cluster as ours."""
    rows, _ = _sides(path, theirs, "fc.weight")
    clusters, dim = _sides(path, theirs, "pool_layer.centroids")
    expected = {"pool_layer.centroids": (clusters, dim), "pool_layer.conv.weight": (clusters, dim, 1, 1)}
    _check(path, {**_classifier(rows, clusters * dim), **expected}, theirs)
    state = {
        "pool.parts.0.assignment.weight": theirs["pool_layer.conv.weight"].flatten(1),
        "pool.parts.0.centres": theirs["pool_layer.centroids"],
    }
    state |= _ends(theirs)
    return PoolingCheckpoint(path, "netvlad", clusters, False, dim, dim, rows - 1, state, ("sn-pooling",))


def _netvladpp(path: Path, theirs: dict[str, Tensor], parts: list[str]) -> PoolingCheckpoint:
    """Understand NetVLAD and NetRVLAD as in NetVLAD++, whole or in halves; they are flattened feature by feature."""
    rows, _ = _sides(path, theirs, "fc.weight")
    dim, each = _sides(path, theirs, f"{parts[0]}.clusters")
    residual = f"{parts[0]}.clusters2" in theirs
    columns, extractor = _extractor(path, theirs, dim)
    expected: dict[str, tuple[int, ...]] = {f"{part}.clusters": (dim, each) for part in parts}
    expected |= {f"{part}.clusters2": (1, dim, each) for part in parts} if residual else {}
    _check(path, {**_classifier(rows, len(parts) * each * dim), **expected, **extractor}, theirs)
    state = _ends(theirs)
    for i, part in enumerate(parts):
        state[f"pool.parts.{i}.assignment.weight"] = theirs[f"{part}.clusters"].T
        if residual:
            state[f"pool.parts.{i}.centres"] = theirs[f"{part}.clusters2"][0].T
    by_feature = state["classes.weight"].view(rows, len(parts), dim, each)
    state["classes.weight"] = by_feature.transpose(2, 3).flatten(1)
    kind = "netvlad" if residual else "netrvlad"
    clusters = each * len(parts)
    return PoolingCheckpoint(path, kind, clusters, len(parts) == 2, dim, columns, rows - 1, state, ("netvladpp",))


def _classifier(rows: int, width: int) -> dict[str, tuple[int, ...]]:
    return {"fc.weight": (rows, width), "fc.bias": (rows,)}


def _extractor(path: Path, theirs: dict[str, Tensor], dim: int) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Return the columns of the features, and the shapes of what projects them to ``dim``, if anything does."""
    if "feature_extractor.weight" not in theirs:
        return dim, {}
    _, columns = _sides(path, theirs, "feature_extractor.weight")
    if columns == dim:
        raise UserError(f"{path}: has a feature_extractor for features of {dim} columns, which are taken as they are")
    return columns, {"feature_extractor.weight": (dim, columns), "feature_extractor.bias": (dim,)}


def _ends(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what comes before and after the pool under our names."""
    ours = {"feature_extractor.": "extractor.", "fc.": "classes."}
    return {
        key.replace(their, our): value for their, our in ours.items() for key, value in theirs.items() if their in key
    }


def _sides(path: Path, theirs: dict[str, Tensor], key: str) -> tuple[int, int]:
    """Return the height and width of a matrix by which a network is understood."""
    shape = tuple(theirs[key].shape)
    if len(shape) != 2 or min(shape) < 1 or (key == "fc.weight" and shape[0] < 2):
        raise UserError(f"{path}: its {key} is of odd shape {shape}, expected a matrix")
    return shape[0], shape[1]


def _check(path: Path, ours: dict[str, tuple[int, ...]], theirs: dict[str, Tensor]) -> None:
    expected = {key: torch.Size(shape) for key, shape in ours.items()}
    check_tensors(path, expected, {key: value.shape for key, value in theirs.items()})
