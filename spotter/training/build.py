"""From the ``model`` part of a config to the module; its optimizer and augmentation keys lie flat among the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from spotter.checks import check_keys
from spotter.errors import UserError
from spotter.training.checkpoint import init_from
from spotter.training.module import SpottingModule
from spotter.training.optimizer import OptimizerConfig
from spotter.types import Plain

OPTIMIZER = tuple(field.name for field in fields(OptimizerConfig))
AUGMENTATION = ("mixup", "augment")
SYSTEM = ("network", "head", "clips", "postprocess")
OPTIONAL = ("teams",)
AROUND = ("compile", "init_from", "pretrained", "weights", "grey", "joint")  # what is done around it
OF_LABELS = ("head", "postprocess", "teams")  # what another label set may have of its own


def module_arguments(model: Plain) -> dict[str, Any]:
    """Group the keys of ``cfg.model`` into arguments of ``SpottingModule``, all but ``task`` and ``source``.

    ``lr``, ``weight_decay``, ``warmup``, ``final_lr``, ``schedule``, ``plateau`` and ``sam`` become ``optimizer``;
    ``mixup`` and ``augment`` become ``augmentation``. Raises UserError for a key that nothing reads.
    """
    known = (*SYSTEM, *OPTIONAL, *OPTIMIZER, *AUGMENTATION, *AROUND)
    check_keys("model", model, known)
    return {
        **{key: model[key] for key in SYSTEM},
        **{key: model[key] for key in OPTIONAL if key in model},
        "optimizer": {key: model[key] for key in OPTIMIZER if key in model},
        "augmentation": {key: model[key] for key in AUGMENTATION if model.get(key)} or None,
    }


def label_sets(model: Plain, tasks: Mapping[str, Plain]) -> dict[str, dict[str, Any]]:
    """Return what the other label sets of joint training are learned by: as the model states it, or as its ``joint``.

    tasks : plain descriptions of their tasks, by name
    Raises UserError for a label set that is not there, and for a key that nothing reads.
    """
    changes: Plain = model.get("joint") or {}
    for name, own in changes.items():
        if name not in tasks:
            raise UserError(f"model.joint.{name}: data.joint has no such label set")
        check_keys(f"model.joint.{name}", own, OF_LABELS)
    found = {}
    for name, task in tasks.items():
        own = changes.get(name) or {}
        parts = {part: {**model[part], **(own.get(part) or {})} for part in ("head", "postprocess")}
        found[name] = {"task": task, "teams": own.get("teams") or model.get("teams", "joint"), **parts}
    return found


def build_from(model: Plain, task: Plain, source: Plain, others: Mapping[str, Plain] | None = None) -> SpottingModule:
    """Build the module of a config: random weights, or those that ``init_from``, ``pretrained`` or ``weights`` name.

    model : plain values of ``cfg.model``
    task, source : plain descriptions of what is spotted and read
    others : the tasks of other label sets, by name
    """
    module = SpottingModule(task, source, **module_arguments(model), joint=label_sets(model, others or {}) or None)
    if model.get("init_from"):
        init_from(module, model["init_from"])
    elif model.get("pretrained") or model.get("weights"):
        module.network.load_imagenet(model.get("weights"))
    if model.get("compile"):
        module.network.compile()  # in place, so that the state dict keeps its names
    return module
