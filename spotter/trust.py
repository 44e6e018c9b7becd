"""Modules of a user's own, which are imported only because the user names them: networks, heads, annotation formats."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable

from spotter.errors import UserError


def import_trusted(names: str | Iterable[str] | None) -> list[str]:
    """Import the modules that a user trusts, of the current folder, too, and return their names.

    names : one, several with commas between them, or a list

    Raises UserError for a module that cannot be found or does not start.
    """
    listed = names.split(",") if isinstance(names, str) else list(names or ())
    modules = [name.strip() for name in listed if name.strip()]
    if modules:
        search_current_folder()
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise UserError(f"trust: {module} cannot be imported ({type(error).__name__}: {error})") from error
    return modules


def search_current_folder() -> None:
    """Let modules of the current folder be imported.

    Only where the user names one: in a folder from somebody else, a ``tensorflow.py`` would be run by the first package
    that looks whether there is one.
    """
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def leave_current_folder() -> None:
    """Undo what ``python -m`` does, which puts the current folder first; a checkout of spotter there stays."""
    here, checkout = os.getcwd(), os.path.dirname(os.path.dirname(__file__))
    if sys.path[0] in ("", here) and here != checkout:
        sys.path.pop(0)
