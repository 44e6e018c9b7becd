"""The one exception that stands for a user's mistake."""

from __future__ import annotations

import difflib
import os
import reprlib
import traceback
from collections.abc import Iterable


class UserError(Exception):
    """Say in one line what was found, where, and what to do; shown without a traceback."""

    def _render_traceback_(self) -> list[str]:  # what a notebook shows
        if os.environ.get("SPOTTER_DEBUG") == "1":
            return traceback.format_exception(self)
        return [f"{type(self).__name__}: {self}"]


class UsageError(UserError):
    """A mistake in the command line; exits with status 2."""


class _Repr(reprlib.Repr):
    """Shorten whole numbers, too, which Python refuses to write where they are too long."""

    def repr_int(self, x: int, level: int) -> str:
        """Return a number of at most 64 bits as it is."""
        return repr(x) if x.bit_length() <= 64 else "a number of more than 64 bits"


_repr = _Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 80
_repr.maxlevel = 2


def shorten(value: object) -> str:
    """Return ``repr(value)`` cut to what fits a line, for a value that a file holds: it may be 100 MB long."""
    return _repr.repr(value)


SUCCESS, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130  # exit statuses


def plural(number: int, noun: str) -> str:
    """Return ``1 game``, ``2 halves``, ``1,200 spots``."""
    many = "halves" if noun == "half" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}"


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return the end of a message on an unknown word: the option that is probably meant, else all there are."""
    options = sorted(options)
    begun = [option for option in options if len(word) > 2 and option.startswith(word)]
    close = difflib.get_close_matches(word, begun or options, 1, 0.0 if begun else 0.6)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(options)}"
