"""Read single numbers from the metrics of a prediction, nested as ``average_map`` returns them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spotter.errors import UserError
from spotter.tasks import MONITORS, monitor_name


def flatten(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers that are logged, by key: every monitor, then ``tight_ap/<class>`` and ``loose_ap/<class>``.

    What ``metrics`` has no number for is left out.
    """
    numbers = {}
    for monitor in MONITORS:
        tolerance, view = parse_monitor(monitor)
        numbers[monitor] = metrics[tolerance][f"map{view}"]
    for tolerance in ("tight", "loose"):
        numbers |= {f"{tolerance}_ap/{name}": value for name, value in metrics[tolerance]["per_class"].items()}
    return {key: float(value) for key, value in numbers.items() if value is not None}


def monitored(metrics: Mapping[str, Any], monitor: str) -> float:
    """Return the number that ``monitor`` names; raises UserError where there is none."""
    tolerance, view = parse_monitor(monitor)
    value = metrics[tolerance][f"map{view}"]
    if value is None:
        raise UserError(f"there is no score {monitor!r} for these labels: choose another monitor")
    return float(value)


def parse_monitor(monitor: str) -> tuple[str, str]:
    """Return where a monitor stands among nested metrics: its tolerance and the ending of its view.

    >>> parse_monitor("tight_map_shown"), parse_monitor("map_at_1")
    (('tight', '_shown'), ('at_1', ''))
    """
    name = monitor_name(monitor)
    if name.startswith("map_at_"):
        return name.removeprefix("map_"), ""
    tolerance, view = name.split("_map")
    return tolerance, view
