"""Every logged number is found at its place in a form."""

from __future__ import annotations

from typing import Any

import pytest

from spotter.errors import UserError
from spotter.evaluation.metrics import flatten, monitored, parse_monitor
from spotter.tasks import MONITORS

CLASSES = ("PASS", "DRIVE")


def numbered_form() -> dict[str, Any]:
    """Return a form in which every number differs."""
    numbers = iter(range(1000))
    form: dict[str, Any] = {"games": 1}
    for name in ("tight", "loose", *(f"at_{seconds}" for seconds in range(1, 6))):
        form[name] = {f"map{view}": next(numbers) / 1000 for view in ("", "_shown", "_unshown")}
        for view in ("", "_shown", "_unshown"):
            form[name][f"per_class{view}"] = {label: next(numbers) / 1000 for label in CLASSES}
    return form


def test_flatten_gives_the_logged_keys() -> None:
    form = numbered_form()
    numbers = flatten(form)
    classes = {f"{tolerance}_ap/{name}" for tolerance in ("tight", "loose") for name in CLASSES}
    assert set(numbers) == set(MONITORS) | classes
    assert len(set(numbers.values())) == len(numbers)
    assert numbers["loose_map_unshown"] == form["loose"]["map_unshown"]
    assert numbers["map_at_3"] == form["at_3"]["map"]
    assert numbers["tight_ap/DRIVE"] == form["tight"]["per_class"]["DRIVE"]


@pytest.mark.parametrize("monitor", MONITORS)
def test_monitored_equals_what_is_logged(monitor: str) -> None:
    assert monitored(numbered_form(), monitor) == flatten(numbered_form())[monitor]


def test_absent_numbers_are_left_out_and_cannot_be_monitored() -> None:
    form = numbered_form()
    form["tight"]["map_shown"] = None
    assert "tight_map_shown" not in flatten(form)
    with pytest.raises(UserError, match="no score 'tight_map_shown'"):
        monitored(form, "tight_map_shown")


def test_unknown_monitor_is_told() -> None:
    with pytest.raises(UserError, match="monitor 'map_at_9' is unknown"):
        parse_monitor("map_at_9")
