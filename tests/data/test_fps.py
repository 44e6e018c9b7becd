"""Frame rates are read alike wherever they are given: as the fraction that is meant."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.fps import parse_fps
from spotter.errors import UserError


@pytest.mark.parametrize(
    ("given_", "meant"),
    [
        (25, "25"),
        (2.0833333333333335, "25/12"),
        ("25/12", "25/12"),
        ("2.0833333", "25/12"),
        (29.97002997, "30000/1001"),
        (29.97, "2997/100"),
        (12.5, "25/2"),
        (Fraction(50), "50"),
    ],
)
def test_rates_are_the_fractions_that_are_meant(given_: float | str | Fraction, meant: str) -> None:
    assert parse_fps(given_) == Fraction(meant)


@pytest.mark.parametrize(
    "wrong", [0, -1, "fast", "", "1/0", "1e99999999", "25e2/1e9", float("nan"), float("inf"), None, True, [2]]
)
def test_other_rates_are_refused(wrong: object) -> None:
    with pytest.raises(UserError, match=r"data\.fps: expected a positive number"):
        parse_fps(wrong, "data.fps")  # type: ignore[arg-type]


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_fps_is_a_number_or_a_fraction(numerator: int, denominator: int) -> None:
    exact = float(Fraction(numerator, denominator))
    assert float(parse_fps(f"{numerator}/{denominator}")) == exact
    assert parse_fps(exact) == parse_fps(str(exact)) == Fraction(numerator, denominator)


@pytest.mark.parametrize("value", ["", "two", "1/0", "0", 0, -2, "-25/12", float("nan"), float("inf"), None, [2]])
def test_an_impossible_fps_names_its_key(value: Any) -> None:
    with pytest.raises(UserError, match=r"data\.fps: expected a positive number or a fraction such as 25/12"):
        parse_fps(value, "data.fps")
