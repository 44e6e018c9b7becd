"""The one exception that stands for a user's mistake."""

from __future__ import annotations

import difflib
import os
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


SUCCESS, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130  # exit statuses


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return the end of a message on an unknown word: the option that is probably meant, else all there are."""
    options = sorted(options)
    close = difflib.get_close_matches(word, options, 1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(options)}"
