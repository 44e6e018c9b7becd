"""What every command and script does at its border: turn mistakes into one line and an exit status."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from spotter.errors import FAILURE, INTERRUPTED, SUCCESS, USAGE, UsageError, UserError


def run_command(command: Callable[[], int | None]) -> int:
    """Run ``command`` and return its exit status; a user's mistake becomes one line on standard error.

    With ``SPOTTER_DEBUG=1`` in the environment the traceback is shown instead.
    """
    try:
        return command() or SUCCESS
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of standard output has gone, as in `spotter … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except Exception as error:
        if os.environ.get("SPOTTER_DEBUG") == "1" or not isinstance(error, (UserError, OSError)):
            raise
        logging.getLogger(__name__).debug("failed", exc_info=True)
        sys.stderr.write(f"error: {_said(error)}\n")
        return USAGE if isinstance(error, UsageError) else FAILURE


def _said(error: Exception) -> str:
    """Return an error's message; of one that comes from a loader's worker, without the traceback around it."""
    text = str(error)
    return text.strip().splitlines()[-1].partition(": ")[2] if text.startswith("Caught ") else text
