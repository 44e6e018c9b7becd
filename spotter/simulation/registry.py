"""The simulators by the kind of input that they make."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spotter.checks import check_choice
from spotter.data.fps import parse_fps
from spotter.errors import UserError
from spotter.simulation.features import simulate
from spotter.simulation.video import simulate_video

SIMULATORS: dict[str, Callable[..., Path]] = {"features": simulate, "video": simulate_video}


def options_of(kind: str) -> set[str]:
    """Return the names of the settings that the simulator of a kind takes."""
    parameters = inspect.signature(SIMULATORS[kind]).parameters.values()
    return {each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}


def simulate_kind(root: str | Path, settings: Mapping[str, Any]) -> Path:
    """Write what is missing of a simulated tree, and return its root.

    settings : the ``kind``, and what its simulator takes, as ``data.demo`` holds them in a config
    Raises UserError naming a wrong key.
    """
    options = dict(settings)
    kind = options.pop("kind", None)
    check_choice("data.demo.kind", kind, SIMULATORS)
    unknown = sorted(options.keys() - options_of(kind))
    if unknown:
        raise UserError(f"data.demo.{unknown[0]}: unknown; a demo of {kind} has {', '.join(sorted(options_of(kind)))}")
    if "fps" in options:
        options["fps"] = float(parse_fps(options["fps"], "data.demo.fps"))
    return SIMULATORS[kind](root, **options)
