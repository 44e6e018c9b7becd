"""Read single numbers from the metrics of a prediction, nested as ``average_map`` returns them."""

from __future__ import annotations

from collections.abc import Mapping

from spotter.errors import UserError
from spotter.evaluation.anticipation import ANTICIPATED, PARTS
from spotter.evaluation.average_map import tolerances_of
from spotter.evaluation.frames import MEAN
from spotter.tasks import ANTICIPATION, Task, monitor_name, monitors
from spotter.types import Metrics

TEAM_VIEW, PRESENT = "_team", "_present"


def flatten(metrics: Metrics) -> dict[str, float]:
    """Return the numbers that are logged, by key: every monitor, then ``tight_ap/<class>`` and ``loose_ap/<class>``.

    Metrics with tolerances in frames have ``map_within_<n>``, ``frames_map`` and ``frames_ap/<class>``, too; those with
    teams ``team_map_at_1`` and so on, and ``at_1_team_ap/<class>``; those of anticipation ``map_at_inf`` and
    ``anticipation_map``. What ``metrics`` has no number for is left out.
    """
    tolerances = [int(name.removeprefix("within_")) for name in metrics if name.startswith("within_")]
    numbers: dict[str, float | None] = {}
    teams = "map_team" in metrics["at_1"]
    for monitor in monitors(tolerances, teams, ANTICIPATED in metrics):
        tolerance, view = parse_monitor(monitor)
        numbers[monitor] = metrics[tolerance][f"map{view}"]
    for name in ("tight", "loose", *(["frames"] if tolerances else [])):
        numbers |= {f"{name}_ap/{label}": value for label, value in metrics[name]["per_class"].items()}
    if teams:
        numbers |= {f"at_1_team_ap/{label}": value for label, value in metrics["at_1"]["per_class_team"].items()}
    return {key: float(value) for key, value in numbers.items() if value is not None}


def tolerance_names(metrics: Metrics) -> list[str]:
    """Return under which names ``metrics`` has an mAP: tight, loose, at_1 …, and those in frames where it has them."""
    return [name for name, each in metrics.items() if isinstance(each, Mapping) and "map" in each]


def monitored(metrics: Metrics, monitor: str) -> float:
    """Return the number that ``monitor`` names; raises UserError where there is none.

    Where an action has no labels, by which Team-mAP has no value, it is the mean over the others.
    """
    tolerance, view = parse_monitor(monitor)
    scores = metrics.get(tolerance, {})
    value = scores.get(f"map{view}")
    if value is None and view == TEAM_VIEW:
        value = scores.get(f"map{view}{PRESENT}")
    if value is None:
        raise UserError(f"there is no score {monitor!r} for these labels: choose another monitor")
    return float(value)


def monitored_classes(metrics: Metrics, monitor: str) -> Mapping[str, float | None]:
    """Return the AP of each class in the score that ``monitor`` names, None where a class has no labels."""
    tolerance, view = parse_monitor(monitor)
    classes: Mapping[str, float | None] = metrics[tolerance][f"per_class{view.removesuffix(PRESENT)}"]
    return classes


def parse_monitor(monitor: str) -> tuple[str, str]:
    """Return where a monitor stands among nested metrics: its tolerance and the ending of its view.

    >>> parse_monitor("tight_map_shown"), parse_monitor("map_at_1"), parse_monitor("map_within_0")
    (('tight', '_shown'), ('at_1', ''), ('within_0', ''))
    >>> parse_monitor("team_map_at_1"), parse_monitor("loose_team_map_present")
    (('at_1', '_team'), ('loose', '_team_present'))
    """
    name = monitor_name(monitor)
    if "team_map" in name:
        present = PRESENT if name.endswith(PRESENT) else ""
        before, _, after = name.removesuffix(PRESENT).partition("team_map")
        return (before or after).strip("_"), TEAM_VIEW + present
    if name.startswith("map_"):
        return name.removeprefix("map_"), ""
    tolerance, _, view = name.partition("_map")
    return tolerance, view


def monitored_tolerances(task: Task) -> tuple[float, ...]:
    """Return the full widths, in seconds, of the tolerances in the score that the task is judged by."""
    name, _ = parse_monitor(task.monitor)
    tolerances = tolerances_of(task)
    if name in tolerances:
        return tolerances[name]
    if task.metric == ANTICIPATION:
        return tuple(seconds for part in PARTS for seconds in tolerances[part])
    return tuple(2 * each / task.fps for each in task.tolerances if name in (MEAN, f"within_{each}"))
