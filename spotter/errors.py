"""The one exception that stands for a user's mistake."""

from __future__ import annotations


class UserError(Exception):
    """Say in one line what was found, where, and what to do; shown without a traceback."""


class UsageError(UserError):
    """A command line that cannot be meant; exits with status 2."""


SUCCESS, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130  # exit statuses
