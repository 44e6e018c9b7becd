"""From the ``model`` part of a config to the module; its optimizer and augmentation keys lie flat among the others."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from spotter.errors import UserError
from spotter.training.checkpoint import init_from
from spotter.training.module import SpottingModule
from spotter.training.optimizer import OptimizerConfig
from spotter.types import Plain

OPTIMIZER = tuple(field.name for field in fields(OptimizerConfig))
AUGMENTATION = ("mixup", "augment")
SYSTEM = ("network", "head", "clips", "postprocess")
OPTIONAL = ("teams",)
AROUND = ("compile", "init_from", "pretrained", "weights", "grey")  # what is done around it


def module_arguments(model: Plain) -> dict[str, Any]:
    """Group the keys of ``cfg.model`` into arguments of ``SpottingModule``, all but ``task`` and ``source``.

    ``lr``, ``weight_decay``, ``warmup``, ``final_lr``, ``schedule``, ``plateau`` and ``sam`` become ``optimizer``;
    ``mixup`` and ``augment`` become ``augmentation``. Raises UserError for a key that nothing reads.
    """
    known = (*SYSTEM, *OPTIONAL, *OPTIMIZER, *AUGMENTATION, *AROUND)
    for key in model:
        if key not in known:
            raise UserError(f"model.{key}: unknown; its keys are {', '.join(known)}")
    return {
        **{key: model[key] for key in SYSTEM},
        **{key: model[key] for key in OPTIONAL if key in model},
        "optimizer": {key: model[key] for key in OPTIMIZER if key in model},
        "augmentation": {key: model[key] for key in AUGMENTATION if model.get(key)} or None,
    }


def build_from(model: Plain, task: Plain, source: Plain) -> SpottingModule:
    """Build the module of a config: random weights, or those that ``init_from``, ``pretrained`` or ``weights`` name.

    model : plain values of ``cfg.model``
    task, source : plain descriptions of what is spotted and read
    """
    module = SpottingModule(task, source, **module_arguments(model))
    if model.get("init_from"):
        init_from(module, model["init_from"])
    elif model.get("pretrained") or model.get("weights"):
        module.network.load_imagenet(model.get("weights"))
    if model.get("compile"):
        module.network.compile()  # in place, so that the state dict keeps its names
    return module
