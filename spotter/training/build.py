"""Build networks and heads from plain values, without running anything that a file names but a network."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from torch import nn

from spotter.errors import UserError


def build(config: Mapping[str, Any], **known: Any) -> nn.Module:
    """Instantiate the ``nn.Module`` that ``_target_`` names, with the other keys and ``known`` as arguments.

    Checkpoints name their network this way, so nothing but a subclass of ``nn.Module`` is ever called.
    Raises UserError for any other target and for arguments that do not fit.
    """
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    try:
        return find(config)(**known, **arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"{config['_target_']}: {error}") from error


def find(config: Mapping[str, Any]) -> type[nn.Module]:
    """Return the subclass of ``nn.Module`` that ``_target_`` names; raises UserError for anything else."""
    target = str(config.get("_target_", ""))
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"_target_ {target!r} cannot be imported ({error})") from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UserError(f"_target_ {target!r} is no torch.nn.Module; networks and heads must be")
    return found
