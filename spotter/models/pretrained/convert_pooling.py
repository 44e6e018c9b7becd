"""Convert a released pooling baseline to a checkpoint of spotter: its names, its input, and its suppression."""

from __future__ import annotations

from pathlib import Path

from spotter.data.fps import parse_fps
from spotter.data.source import InputSpec
from spotter.data.streams import Stream
from spotter.errors import UserError
from spotter.io.checkpoints import write_checkpoint
from spotter.models.pretrained.options import ImportOptions
from spotter.models.pretrained.pooling import PoolingCheckpoint, read_pooling
from spotter.models.pretrained.tensors import check_classes
from spotter.models.system import System
from spotter.settings import ClipConfig
from spotter.tasks import Task
from spotter.types import Plain

STREAM = "resnet"
PREFIXES = {"extractor.": f"network.embed.streams.{STREAM}.projections.0.", "pool.": "network.pool."}
PREFIXES["classes."] = "head.classes.1."


def convert_pooling(checkpoint: str | Path, out: str | Path, options: ImportOptions, codebase: str) -> Plain:
    """Do what ``convert_published`` does; ``codebase`` is ``sn-pooling`` or ``netvladpp``."""
    found = read_pooling(checkpoint, options.pool or "max")
    if codebase not in found.codebases:
        raise UserError(f"{found.path}: holds the layers of the other codebase; give --from {found.codebases[0]}")
    if options.pool and found.pool != options.pool:
        raise UserError(f"{found.path}: has the weights of {found.pool}; leave --pool out")
    settings = _settings(found, codebase, options)
    system = System.build(settings)
    system.load_state_dict({_rename(name): value for name, value in found.state.items()})
    write_checkpoint(out, settings, system.state_dict())
    return settings


def _settings(found: PoolingCheckpoint, codebase: str, options: ImportOptions) -> Plain:
    """Return the hyper-parameters of the checkpoint."""
    file = options.features or ("ResNET_TF2_PCA512" if found.columns == 512 else "ResNET_TF2")
    fps = float(parse_fps(options.fps or 2, "--fps"))
    spec = InputSpec.features([Stream.load(STREAM, {"file": file, "fps": fps, "width": found.columns})])
    seconds = options.window or (20.0 if codebase == "sn-pooling" else 15.0)
    window = max(1 + found.aware, round(seconds * spec.fps))
    plan = ClipConfig(window, round(120 * spec.fps) + window, 0.0, window // 2, "non_overlapping", 0)
    return {
        "task": _task(found, options.task).to_dict(),
        "source": spec.to_dict(),
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


def _suppression(found: PoolingCheckpoint, codebase: str) -> Plain:
    """Return the hard suppression that the published scores were taken with."""
    if codebase == "netvladpp":
        return {"method": "nms", "window": 30.0, "threshold": 0.0}
    return {"method": "nms", "window": 20.0, "threshold": 0.5 if found.pool == "netvlad" else 0.0}


def _task(found: PoolingCheckpoint, named: str | None) -> Task:
    """Return the task, whose classes must be as many as the file's; their order is taken as that of the file."""
    if named is None and found.classes != 17:
        order = "; those of SoccerNet's first version are card, substitution, goal" if found.classes == 3 else ""
        raise UserError(f"{found.path}: has {found.classes} classes, not the 17 of soccernet-v2: give --task{order}")
    task = Task.load(named or "soccernet-v2")
    check_classes(found.path, found.classes, task)
    return task


def _rename(name: str) -> str:
    prefix = next(prefix for prefix in PREFIXES if name.startswith(prefix))
    return PREFIXES[prefix] + name.removeprefix(prefix)
