"""Settings are checked in one place: true is no number, and what is wrong is one line with the key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spotter.checks import (
    check_above_zero,
    check_between_zero_and_one,
    check_choice,
    check_integer,
    check_keys,
    check_not_negative,
    check_probability,
)
from spotter.errors import UserError

NO_NUMBERS = (True, None, "1", float("nan"), float("inf"), [1])
CHECKS: list[tuple[Callable[[str, object], None], tuple[object, ...], tuple[object, ...]]] = [
    (check_not_negative, (0, 0.0, 2.5), (-1, -0.1)),
    (check_above_zero, (0.1, 3), (0, -1)),
    (check_between_zero_and_one, (0.5, 1e-9), (0, 1, 1.5)),
    (check_probability, (0, 1, 0.5), (-0.1, 1.1)),
    (lambda key, value: check_integer(key, value, 2), (2, 7), (1, 2.0, -3)),
]


@pytest.mark.parametrize(("check", "right", "wrong"), CHECKS)
def test_numbers_out_of_range_and_what_is_no_number_name_their_key(
    check: Callable[[str, object], None], right: tuple[object, ...], wrong: tuple[object, ...]
) -> None:
    for value in right:
        check("model.x", value)
    for value in (*wrong, *NO_NUMBERS):
        with pytest.raises(UserError, match=r"^model\.x: expected a .*, found "):
            check("model.x", value)


@pytest.mark.parametrize("value", ["grru", None, 1, ["gru"], {"gru": 1}])
def test_a_value_that_is_no_choice_is_answered_with_all_of_them(value: object) -> None:
    check_choice("model.x", "gru", {"gru": 1, "none": 2})
    with pytest.raises(UserError, match=r"^model\.x: .* is unknown: give one of gru, none$"):
        check_choice("model.x", value, {"gru": 1, "none": 2})


def test_a_key_that_nothing_reads_is_answered_with_those_that_are() -> None:
    check_keys("model", {"lr": 1}, ("lr", "sam"))
    with pytest.raises(UserError, match=r"^model\.rl: unknown; its keys are lr, sam$"):
        check_keys("model", {"rl": 1}, ("lr", "sam"))


def test_a_huge_value_is_shortened() -> None:
    with pytest.raises(UserError) as error:
        check_integer("data.batch_size", "9" * 10_000, 1)
    assert len(str(error.value)) < 200
