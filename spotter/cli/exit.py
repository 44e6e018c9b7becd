"""What every command and script does at its border: turn mistakes into one line and an exit status."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from spotter.errors import FAILURE, INTERRUPTED, SUCCESS, USAGE, UsageError, UserError

PATIENCE = 5.0  # seconds that other ranks wait whether the first reports the same error


def run_command(command: Callable[[], int | None]) -> int:
    """Run ``command`` and return its exit status; a user's mistake becomes one line on standard error.

    With ``SPOTTER_DEBUG=1`` in the environment the traceback is shown instead.
    """
    try:
        return command() or SUCCESS
    except KeyboardInterrupt:
        _report("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of standard output has gone, as in `spotter … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except Exception as error:
        if os.environ.get("SPOTTER_DEBUG") == "1" or not isinstance(error, (UserError, OSError)):
            raise
        logging.getLogger(__name__).debug("failed", exc_info=True)
        _report(f"error: {_message(error)}")
        return USAGE if isinstance(error, UsageError) else FAILURE


def _report(text: str) -> None:
    """Write a line on standard error, once for all ranks."""
    rank = _rank()
    if {"torch", "torch.distributed"} <= sys.modules.keys():  # whole: Ctrl-C while torch is imported leaves parts
        from spotter.inference.ranks import report_once  # needs torch, which few commands do

        if not report_once(rank, PATIENCE):
            return
    sys.stderr.write(f"rank {rank}: {text}\n" if rank > 0 else f"{text}\n")


def _rank() -> int:
    """Return the number of this process among those that were launched together."""
    given = (os.environ.get(name, "") for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((int(number) for number in given if number.isdigit()), 0)


def _message(error: Exception) -> str:
    """Return an error's message; of one that comes from a loader's worker, without the traceback around it."""
    text = str(error)
    return text.strip().splitlines()[-1].partition(": ")[2] if text.startswith("Caught ") else text
