"""Turn a published pooling baseline into a checkpoint of spotter: how it was fed, and what it was scored with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotter.data.features import FeatureSource
from spotter.data.fps import parse_fps
from spotter.errors import UserError
from spotter.models.pretrained.soccernet_pooling import Published, read
from spotter.settings import ClipConfig
from spotter.tasks import Task
from spotter.training.checkpoint import write_module
from spotter.training.module import SpottingModule

STREAM = "resnet"
PREFIXES = {"extractor.": f"network.embed.streams.{STREAM}.projections.0.", "pool.": "network.pool."}
PREFIXES["classes."] = "head.classes.1."


@dataclass(frozen=True)
class Fed:
    """Hold what a file cannot say, None for what its codebase did.

    window : seconds
    fps : rows per second
    features : the file's name behind ``1_``
    task : name or YAML file
    pool : ``max`` or ``mean``, where the pool has no weights
    """

    window: float | None = None
    fps: str | None = None
    features: str | None = None
    task: str | None = None
    pool: str | None = None


def import_pooling(checkpoint: str | Path, out: str | Path, codebase: str, fed: Fed | None = None) -> SpottingModule:
    """Write ``out``, which ``predict.py`` takes, and return the module in it.

    codebase : ``sn-pooling`` or ``netvladpp``

    Raises UserError for what cannot be imported, and for classes that are not those of the task.
    """
    fed = fed or Fed()
    found = read(checkpoint, fed.pool or "max")
    if codebase not in found.codebases:
        raise UserError(f"{found.path}: holds the layers of the other codebase; give --from {found.codebases[0]}")
    if fed.pool and found.pool != fed.pool:
        raise UserError(f"{found.path}: has the weights of {found.pool}; leave --pool out")
    settings = _settings(found, codebase, fed)
    module = SpottingModule(**settings)
    module.load_state_dict({_ours(name): value for name, value in found.state.items()})
    write_module(out, module, settings)
    return module


def _settings(found: Published, codebase: str, fed: Fed) -> dict[str, Any]:
    """Return the hyper-parameters of the module."""
    file = fed.features or ("ResNET_TF2_PCA512" if found.columns == 512 else "ResNET_TF2")
    source = FeatureSource(
        {STREAM: {"file": file, "fps": float(parse_fps(fed.fps or 2, "--fps")), "width": found.columns}}
    )
    seconds = fed.window or (20.0 if codebase == "sn-pooling" else 15.0)
    window = max(1 + found.aware, round(seconds * source.fps))
    plan = ClipConfig(window, round(120 * source.fps) + window, 0.0, window // 2, "tiles", 0)
    return {
        "task": _task(found, fed.task).to_dict(),
        "source": source.spec.to_dict(),
        "network": {
            "_target_": "spotter.models.pooling.Pooling",
            "window": window,
            "pool": found.pool,
            "clusters": found.clusters,
            "aware": found.aware,
            "dim": found.dim,
        },
        "head": {"_target_": "spotter.models.blocks.window.WindowHead", "window": window, "dropout": 0.4},
        "clips": plan.to_dict(),
        "postprocess": _suppression(found, codebase),
        "optimizer": {"lr": 1e-3, "weight_decay": 0.0, "schedule": "plateau"},
    }


def _suppression(found: Published, codebase: str) -> dict[str, Any]:
    """Return the hard suppression that the published scores were taken with."""
    if codebase == "netvladpp":
        return {"method": "nms", "window": 30.0, "threshold": 0.0}
    return {"method": "nms", "window": 20.0, "threshold": 0.5 if found.pool == "netvlad" else 0.0}


def _task(found: Published, named: str | None) -> Task:
    """Return the task, whose classes must be as many as the file's; their order is the user's to know."""
    if named is None and found.classes != 17:
        order = "; those of SoccerNet's first version are card, substitution, goal" if found.classes == 3 else ""
        raise UserError(f"{found.path}: has {found.classes} classes, not the 17 of soccernet-v2: give --task{order}")
    task = Task.load(named or "soccernet-v2")
    if len(task.classes) != found.classes:
        raise UserError(
            f"{found.path}: has {found.classes} classes, task {task.name} has {len(task.classes)}: give another --task"
        )
    return task


def _ours(name: str) -> str:
    prefix = next(prefix for prefix in PREFIXES if name.startswith(prefix))
    return PREFIXES[prefix] + name.removeprefix(prefix)
