"""Build networks and heads from plain values: those that ship with spotter, and those of modules that a user trusts."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from torch import nn

from spotter.data.source import Layout
from spotter.errors import UserError, shorten
from spotter.models.base import Head, Network
from spotter.types import Plain

SHIPPED = "spotter.models"
SHOWN = 300  # letters of a reason that PyTorch or a network gives
NAME = re.compile(r"[A-Za-z_][\w.]{0,99}")  # of a module
Module = TypeVar("Module", bound=nn.Module)


def build(config: Plain, trusted: Sequence[str] = (), **facts: object) -> nn.Module:
    """Instantiate the ``nn.Module`` that ``_target_`` names, with the other keys as arguments.

    trusted : modules, and packages with all that is in them, that may be imported beside those of spotter
    facts : further arguments, for constructors that name them

    Raises UserError for any other target, and for arguments that do not fit.
    """
    return _instantiate(find(config, trusted), config, facts)


def _instantiate(found: type[Module], config: Plain, facts: Mapping[str, object]) -> Module:
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    named = inspect.signature(found).parameters
    try:
        return found(**{key: value for key, value in facts.items() if key in named} | arguments)
    except (TypeError, ValueError, AssertionError, LookupError, ArithmeticError) as error:
        reason = (str(error).splitlines() or [""])[0][:SHOWN]  # PyTorch adds where in C++ it was raised
        raise UserError(f"{config['_target_']}: {reason}") from error


def find(config: Plain, trusted: Sequence[str] = ()) -> type[nn.Module]:
    """Return the subclass of ``nn.Module`` that ``_target_`` names, without importing anything that is not trusted."""
    target = config.get("_target_", "")
    module, _, name = target.rpartition(".") if isinstance(target, str) else ("", "", "")
    shipped = module in shipped_modules()
    if not shipped and not any(f"{target}.".startswith(f"{known}.") for known in trusted):
        remedy = f"; if you trust its module, give trust={module}" if NAME.fullmatch(module) else ""
        raise UserError(f"_target_ {shorten(target)} is not of spotter{remedy}")
    try:
        found = vars(importlib.import_module(module))[name]
    except (ImportError, KeyError, ValueError) as error:
        raise UserError(f"_target_ {target!r} cannot be imported ({error})") from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UserError(f"_target_ {target!r} is no torch.nn.Module; networks and heads must be")
    if shipped and not found.__module__.startswith(SHIPPED):
        raise UserError(f"_target_ {target!r} is not of spotter: {module} only uses it")
    return found


@cache
def shipped_modules() -> frozenset[str]:
    """Return the modules of networks and heads that spotter ships; none is imported to find out."""
    folder = Path(__file__).parent
    paths = (path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py"))
    return frozenset(".".join((SHIPPED, *path.parts)) for path in paths)


def module_of(config: Plain) -> str:
    """Return the name of the module in which ``_target_`` lies."""
    return str(config.get("_target_", "")).rpartition(".")[0]


def build_network(config: Plain, kind: str, layout: Layout, classes: int, trusted: Sequence[str] = ()) -> Network:
    """Build a network for one kind of input; raises UserError where it reads another.

    A plain ``nn.Module`` with a ``width``, as version 0.1 asked for, will do: it reads features, and has as many
    anchors per frame as its config says, by default one.
    """
    found = network_class(config, trusted)
    if found.reads != kind:
        raise UserError(f"model: its network reads {found.reads}, but the data is {kind}; take another data=…")
    network = _instantiate(found, config, {"layout": layout, "classes": classes})
    if network.width < 0:
        raise UserError(f"{config['_target_']}: has no width, the number of columns of its tokens; set self.width")
    return network


def network_class(config: Plain, trusted: Sequence[str] = ()) -> type[Network]:
    """Return the ``Network`` that ``_target_`` names; of a plain module a subclass that is one, with the same weights.

    The errors are those of ``find``.
    """
    found = find(config, trusted)
    if issubclass(found, Network):
        return found
    return type(found.__name__, (found, Network), {"upsample": int(config.get("upsample", Network.upsample))})


def build_head(config: Plain, network: Network, classes: int, fps: float, trusted: Sequence[str] = ()) -> Head:
    """Build the head that takes the tokens of ``network``; raises UserError for what is no ``Head``."""
    found = find(config, trusted)
    if not issubclass(found, Head):
        raise UserError(f"_target_ {config['_target_']!r} is no head; write it as a spotter.models.base.Head")
    facts = {"width": network.width, "upsample": network.upsample, "classes": classes, "fps": fps}
    return _instantiate(found, config, facts)
