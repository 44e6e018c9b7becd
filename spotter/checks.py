"""Check the values of settings: what is wrong becomes one line that names the key, what was found and what to give."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from fractions import Fraction
from numbers import Rational
from typing import TypeGuard

from spotter.errors import UserError, shorten

NUMBER = re.compile(r"\s*[+-]?(\d{1,12}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?(/\d{1,12})?\s*")
APART = 0.1, 5.0  # a part of a half, and seconds, by which its inputs may end apart


def check_choice(key: str, value: object, choices: Iterable[str]) -> None:
    """Raise UserError where ``value`` is none of ``choices``."""
    choices = tuple(choices)
    if value not in choices:
        raise UserError(f"{key}: {shorten(value)} is unknown: give one of {', '.join(choices)}")


def check_keys(where: str, found: Iterable[object], known: Iterable[str]) -> None:
    """Raise UserError for the first key of ``where`` that nothing reads."""
    known = tuple(known)
    for key in found:
        if key not in known:
            raise UserError(f"{where}.{key}: unknown; its keys are {', '.join(known)}")


def check_integer(key: str, value: object, least: int) -> None:
    """Raise UserError where ``value`` is no whole number of at least ``least``."""
    if not is_integer(value) or value < least:
        raise UserError(f"{key}: expected a whole number of at least {least}, found {shorten(value)}")


def check_not_negative(key: str, value: object) -> None:
    """Raise UserError where ``value`` is no finite number of at least 0."""
    if not is_number(value) or value < 0:
        raise UserError(f"{key}: expected a number of at least 0, found {shorten(value)}")


def check_above_zero(key: str, value: object) -> None:
    """Raise UserError where ``value`` is no finite number above 0."""
    if not is_number(value) or value <= 0:
        raise UserError(f"{key}: expected a number above 0, found {shorten(value)}")


def check_between_zero_and_one(key: str, value: object) -> None:
    """Raise UserError where ``value`` is no number above 0 and below 1."""
    if not is_number(value) or not 0 < value < 1:
        raise UserError(f"{key}: expected a number between 0 and 1, found {shorten(value)}")


def check_probability(key: str, value: object) -> None:
    """Raise UserError where ``value`` is no number within 0 … 1."""
    if not is_number(value) or not 0 <= value <= 1:
        raise UserError(f"{key}: expected a number from 0 to 1, found {shorten(value)}")


def is_integer(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def to_fraction(value: object) -> Fraction | None:
    """Return a finite number, or a text such as ``25/12``, as a fraction; None for anything else.

    A text of a few letters, as ``1e99999999``, can stand for a number that fills the memory; such ones are none.
    """
    if isinstance(value, bool) or not isinstance(value, float | str | Rational):
        return None
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        return None
    try:
        number = Fraction(value)
        float(number)
    except (ValueError, OverflowError, ZeroDivisionError):
        return None
    return number


def end_apart(one: float, other: float) -> bool:
    """Return whether inputs of a half end further apart than by chance, by the seconds at which they do."""
    return abs(one - other) > max(APART[0] * one, APART[1])
