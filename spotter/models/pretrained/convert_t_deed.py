"""Convert a released T-DEED checkpoint to one of spotter: its names, its order of classes, and its input."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import Tensor

from spotter.data.source import ImageSpec, InputSpec
from spotter.errors import UserError
from spotter.io.checkpoints import write_checkpoint
from spotter.models.pretrained.convert_e2e_spot import crop_of, reorder_classes
from spotter.models.pretrained.options import ImportOptions
from spotter.models.pretrained.t_deed import TDeedCheckpoint, read_t_deed
from spotter.models.pretrained.tensors import check_classes
from spotter.models.system import System
from spotter.settings import ClipConfig
from spotter.tasks import Task
from spotter.types import Plain

log = logging.getLogger(__name__)
# By data set: the task, frames a second, image size, radius of labels, overlap, and frames on a side of suppression.
DATASETS: dict[str, tuple[str, str, tuple[int, int], int, float, int]] = {
    "soccernet": ("soccernet-v2", "25/12", (224, 398), 3, 0.5, 6),
    "soccernetball": ("ball-2024", "12.5", (448, 796), 4, 0.75, 12),
}
OTHER = (None, None, (224, 398), 1, 0.75, 3)


def convert_t_deed(checkpoint: str | Path, out: str | Path, options: ImportOptions) -> Plain:
    """Do what ``convert_published`` does; of two heads the first is taken, as in that codebase's inference."""
    options.refuse("t-deed", "window", "features", "pool", "clip_len")
    found = read_t_deed(checkpoint)
    dataset = _dataset(found, options.task)
    known = DATASETS.get(dataset, OTHER)
    task, fps = options.task or known[0], options.fps or known[1]
    if not task or not fps:
        lacking = " and ".join(option for option, value in (("--task", task), ("--fps", fps)) if not value)
        raise UserError(f"{found.path}: of data set {dataset!r}; give {lacking}")
    spec = InputSpec.video(fps, ImageSpec(known[2], crop_of(found.config)))
    settings = _settings(found, Task.load(task), spec, *known[3:])
    system = System.build(settings)
    state = {_rename(name): value for name, value in found.state.items() if not name.startswith("classes.1.")}
    # Ball classes are listed in the order of the challenge, all others by name.
    state = negated(state)
    system.load_state_dict(state if dataset == "soccernetball" else reorder_classes(state, system.task.classes))
    write_checkpoint(out, settings, system.state_dict())
    return settings


def _dataset(found: TDeedCheckpoint, task: str | None) -> str:
    """Return the data set, which orders classes: that of ``config.json``, else the one whose labels the task has."""
    named = found.config.get("dataset")
    if named is None and task:
        file = Task.load(task).label_file
        named = next((name for name, (known, *_) in DATASETS.items() if Task.load(known).label_file == file), None)
        log.info("%s: no config.json beside it names its data set; taken for %s", found.path, named or "another")
    return str(named or "not named").lower()


def _settings(found: TDeedCheckpoint, task: Task, spec: InputSpec, dilate: int, overlap: float, margin: int) -> Plain:
    """Return the hyper-parameters of the checkpoint."""
    check_classes(found.path, found.outputs[0] - 1, task)
    clip_len, head = int(found.network["clip_len"]), "DisplacedHead" if found.displaced else "FrameHead"
    return {
        "task": task.to_dict(),
        "source": spec.to_dict(),
        "network": {"_target_": "spotter.models.t_deed.network.TDeed", **found.network},
        "head": {
            "_target_": f"spotter.models.blocks.{'displaced' if found.displaced else 'frame'}.{head}",
            "dilate": int(found.config.get("radi_displacement", dilate)),
        },
        "clips": ClipConfig(clip_len, overlap=overlap, per_epoch=500_000 // clip_len).to_dict(),
        "postprocess": {"method": "quadratic_nms", "window": 2 * margin / spec.fps, "threshold": 0.01},
        "optimizer": {"lr": 8e-4, "weight_decay": 1e-2, "final_lr": 0.0},
    }


def _rename(name: str) -> str:
    if name.startswith("network."):
        return name
    return f"head.{name.replace('classes.0.', 'classes.').replace('displacement.', 'displacement.1.')}"


def negated(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state with displacements from anchor to spot; theirs are from spot to anchor."""
    return {name: -value if name.startswith("head.displacement.") else value for name, value in state.items()}
