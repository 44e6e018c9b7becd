"""How checkpoints are written, whether training can go on from one, and the start of another run from its weights."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from lightning_fabric.plugins import TorchCheckpointIO

from spotter.errors import UserError
from spotter.io.checkpoints import not_finite, open_checkpoint, save_checkpoint
from spotter.io.upgrade import FORMAT
from spotter.tasks import Task
from spotter.training.module import SpottingModule
from spotter.training.optimizer import OptimizerConfig
from spotter.types import OWN, Plain

log = logging.getLogger(__name__)


class CheckpointFiles(TorchCheckpointIO):
    """Write the trainer's checkpoints as ``save_checkpoint`` does; Lightning reads and removes them."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write a checkpoint."""
        save_checkpoint(path, checkpoint)


def check_fits(module: SpottingModule, content: dict[str, Any], path: str | Path) -> None:
    """Raise UserError unless training can go on from an opened checkpoint: the same network, classes, schedule."""
    if content["spotter_format"] != FORMAT:
        raise UserError(
            f"ckpt: {path} is of spotter 0.1, whose runs cannot be resumed; start a new run from its weights: "
            f"model.init_from={path}"
        )
    if "optimizer_states" not in content:
        raise UserError(
            f"ckpt: {path} holds weights alone, without the training state; start a new run from them: "
            f"model.init_from={path}"
        )
    theirs, ours = OptimizerConfig.load(content["hyper_parameters"]["optimizer"] or {}), module.optimizer_config
    differ = [key for key in ("schedule", "sam", "head_lr_factor") if getattr(theirs, key) != getattr(ours, key)]
    if _columns(content["hyper_parameters"]) != {name: each.task.columns for name, each in module.systems.items()}:
        differ.insert(0, "list of classes")
    shapes = {name: value.shape for name, value in content["state_dict"].items()}
    if shapes != {name: value.shape for name, value in module.state_dict().items()}:
        differ.insert(0, "network or head")
    if differ:
        raise UserError(
            f"ckpt: {path} is of another {', '.join(differ)} than this model; go on as it began, "
            f"or start a new run from its weights: model.init_from={path}"
        )


def _columns(settings: Plain) -> dict[str, tuple[str, ...]]:
    """Return what the columns of scores stand for, by label set, as settings of a checkpoint say."""
    sets = {OWN: settings, **(settings.get("joint") or {})}
    return {name: Task.load_stored(each.get("task")).columns for name, each in sets.items()}


def init_from(module: SpottingModule, path: str | Path) -> None:
    """Take every tensor of a checkpoint that fits by name and shape, and log which did not.

    Those of the head are left out where its classes are others, or the same in another order.
    """
    content = open_checkpoint(path, "model.init_from")
    theirs, ours = content["state_dict"], module.state_dict()
    if Task.load(content["hyper_parameters"].get("task", {})).classes != module.system.task.classes:
        log.info("the classes of %s are others: the head starts from random values", path)
        theirs = {name: value for name, value in theirs.items() if not name.startswith("head.")}
    within = {name: f"head.{name}" for name in theirs if name.startswith("head.")}  # a head that tells teams, too
    theirs = {within[name] if within.get(name) in ours else name: value for name, value in theirs.items()}
    fits = {name: value for name, value in theirs.items() if name in ours and ours[name].shape == value.shape}
    if not fits:
        raise UserError(f"model.init_from: not one of the {len(theirs)} tensors in {path} fits this model")
    if broken := next(not_finite(fits), None):
        raise UserError(f"model.init_from: the weights {broken} in {path} are not finite; take another checkpoint")
    module.load_state_dict(fits, strict=False)
    log.info("took %d of %d tensors from %s", len(fits), len(ours), path)
    for title, names in (("left as they were", ours.keys() - fits), ("not used", theirs.keys() - fits)):
        if names:
            log.info("%s: %s", title, ", ".join(sorted(names)))
