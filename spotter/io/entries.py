"""The entries of a JSON file as columns, with the first malformed one named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import compress
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError, shorten
from spotter.tasks import TEAM, Task

Mask = NDArray[np.bool_]
_MALFORMED = (KeyError, IndexError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class Entries:
    """Hold the entries of one file, and where it is, for messages.

    more : what the file says beside them
    """

    where: str
    rows: list[Any]
    more: Mapping[str, Any] = field(default_factory=dict)

    def column(
        self, field: str, expected: str, convert: Callable[[Any], float | None] | None = None, among: Mask | None = None
    ) -> NDArray[np.float64]:
        """Return ``field`` of every row, converted, as NumPy takes it for a number (null is NaN): (N,).

        among : (N,) bool, the rows to take; their values then are the result, in order

        Raises UserError naming the first entry whose field is absent or not ``expected``.
        """
        rows = self.rows if among is None else list(compress(self.rows, among.tolist()))
        try:
            return _numbers(rows, field, convert)
        except _MALFORMED as error:
            number, problem = self._first_fault(field, expected, convert, among)
            raise UserError(f"{self.where}: entry {number} {problem}: correct the file or write it again") from error

    def classes(self, task: Task, unknown: Counter[str]) -> NDArray[np.int64]:
        """Return each entry's class, (N,), -1 where the task has none; count the names of those in ``unknown``.

        Raises UserError naming the first entry that names no class.
        """
        try:
            found = np.fromiter(map(task.class_of, self.rows), np.float64, len(self.rows))  # None becomes NaN
        except UserError as error:
            number = next(i for i, row in enumerate(self.rows, start=1) if _names_no_class(row, task))
            raise UserError(f"{self.where}: entry {number} {error}: correct the file or write it again") from error
        unknown.update(task.class_name(self.rows[row]) for row in np.flatnonzero(np.isnan(found)))
        return np.nan_to_num(found, nan=-1).astype(np.int64)

    def teams(self) -> NDArray[np.str_] | None:
        """Return the team that each entry names, (N,), empty where it names none; None where none does."""
        named = [str(row.get(TEAM) or "") for row in self.rows]
        return np.array(named) if any(named) else None

    def visible(self) -> Mask:
        """Return which entries show their action, (N,): all but those that say they do not."""
        return np.array([row.get("visibility") != "not shown" for row in self.rows], bool)

    def team_indices(self, task: Task, among: Mask) -> NDArray[np.int64] | None:
        """Return each entry's team as an index into ``task.teams``, (N,); None for a task without teams.

        One that is missing or unknown is -1. A strict task raises UserError naming the first of those ``among``.
        """
        if not task.teams:
            return None
        found = task.team_of(self.teams(), len(self.rows))
        for row in np.flatnonzero(among & (found < 0) & task.strict)[:1]:
            named, known = self.rows[row].get(TEAM), " or ".join(task.teams)
            raise UserError(
                f"{self.where}: entry {row + 1} has the team {shorten(named)}, not {known}: correct the file"
            )
        return found

    def _first_fault(
        self, field: str, expected: str, convert: Callable[[Any], float | None] | None, among: Mask | None
    ) -> tuple[int, str]:
        for number, row in enumerate(self.rows, start=1):
            if among is not None and not among[number - 1]:
                continue
            if not isinstance(row, dict):
                return number, "is not an object"
            if field not in row:
                return number, f"lacks {field!r}"
            try:
                _numbers([row], field, convert)
            except _MALFORMED:
                return number, f"has the {field} {shorten(row[field])}, not {expected}"
        raise AssertionError("only called when a row is at fault")


def _numbers(rows: list[Any], field: str, convert: Callable[[Any], float | None] | None) -> NDArray[np.float64]:
    values = map(itemgetter(field), rows)
    return np.fromiter(values if convert is None else map(convert, values), np.float64, len(rows))


def _names_no_class(row: Any, task: Task) -> bool:
    try:
        task.class_of(row)
    except UserError:
        return True
    return False
