"""Read single numbers from a form of scores, as ``average_map`` returns it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spotter.errors import UserError
from spotter.tasks import MONITORS


def flatten(form: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers that are logged, by key: every monitor, then ``tight_ap/<class>`` and ``loose_ap/<class>``.

    What the form has no number for is left out.
    """
    numbers = {}
    for monitor in MONITORS:
        tolerance, view = place(monitor)
        numbers[monitor] = form[tolerance][f"map{view}"]
    for tolerance in ("tight", "loose"):
        numbers |= {f"{tolerance}_ap/{name}": value for name, value in form[tolerance]["per_class"].items()}
    return {key: float(value) for key, value in numbers.items() if value is not None}


def monitored(form: Mapping[str, Any], monitor: str) -> float:
    """Return the number that ``monitor`` names; raises UserError where the form has none."""
    tolerance, view = place(monitor)
    value = form[tolerance][f"map{view}"]
    if value is None:
        raise UserError(f"there is no score {monitor!r} for these labels: choose another monitor")
    return float(value)


def place(monitor: str) -> tuple[str, str]:
    """Return where a monitor stands in a form: its tolerance and the ending of its view.

    >>> place("tight_map_shown"), place("map_at_1")
    (('tight', '_shown'), ('at_1', ''))
    """
    if monitor not in MONITORS:
        raise UserError(f"monitor {monitor!r} is unknown: give one of {', '.join(MONITORS)}")
    if monitor.startswith("map_at_"):
        return monitor.removeprefix("map_"), ""
    tolerance, view = monitor.split("_map")
    return tolerance, view
