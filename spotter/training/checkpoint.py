"""From a checkpoint to a module and back, and to the start of another one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spotter.errors import UserError
from spotter.io.checkpoints import FORMAT, open_checkpoint
from spotter.models.build import find
from spotter.training.module import SpottingModule
from spotter.training.optimizer import OptimizerConfig

log = logging.getLogger(__name__)


def load_module(content: dict[str, Any], trusted: Sequence[str] = (), **changes: Any) -> SpottingModule:
    """Build the module of an opened checkpoint, with single hyper-parameters changed, and load its weights.

    trusted : modules that its network and head may be of, beside those of spotter

    Raises UserError where they do not fit together, and for a network or head of any other module.
    """
    try:
        for part in ("network", "head"):
            find(content["hyper_parameters"][part], trusted)
        module = SpottingModule(**{**content["hyper_parameters"], **changes})
        module.load_state_dict(content["state_dict"])
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise UserError(f"ckpt: its weights and settings do not fit ({' '.join(str(error).split())})") from error
    return module


def check_fits(module: SpottingModule, content: dict[str, Any], path: str | Path) -> None:
    """Raise UserError unless training can go on from an opened checkpoint: the same network, head and schedule."""
    if content["spotter_format"] != FORMAT:
        raise UserError(
            f"ckpt: {path} is of spotter 0.1, whose runs cannot be resumed; begin anew with its weights: "
            f"model.init_from={path}"
        )
    theirs, ours = OptimizerConfig.load(content["hyper_parameters"]["optimizer"] or {}), module.optimizer_config
    differ = [key for key in ("schedule", "sam") if getattr(theirs, key) != getattr(ours, key)]
    shapes = {name: value.shape for name, value in content["state_dict"].items()}
    if shapes != {name: value.shape for name, value in module.state_dict().items()}:
        differ.insert(0, "network or head")
    if differ:
        raise UserError(
            f"ckpt: {path} is of another {', '.join(differ)} than this model; go on as it began, "
            f"or begin anew with its weights: model.init_from={path}"
        )


def init_from(module: SpottingModule, path: str | Path) -> None:
    """Take every tensor of a checkpoint that fits by name and shape, and log which did not."""
    theirs = open_checkpoint(path, "model.init_from")["state_dict"]
    ours = module.state_dict()
    fits = {name: value for name, value in theirs.items() if name in ours and ours[name].shape == value.shape}
    if not fits:
        raise UserError(f"model.init_from: not one of the {len(theirs)} tensors in {path} fits this model")
    module.load_state_dict(fits, strict=False)
    log.info("took %d of %d tensors from %s", len(fits), len(ours), path)
    for title, names in (("left as they were", ours.keys() - fits), ("not used", theirs.keys() - fits)):
        if names:
            log.info("%s: %s", title, ", ".join(sorted(names)))
