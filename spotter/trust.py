"""Modules of a user's own, which are imported only because the user names them: networks, heads, annotation formats."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from spotter.errors import UserError


def import_trusted(names: str | Iterable[str] | None) -> list[str]:
    """Import the modules that a user trusts, and return their names.

    names : one, several with commas between them, or a list

    Raises UserError for a module that cannot be found or does not start.
    """
    listed = names.split(",") if isinstance(names, str) else list(names or ())
    modules = [name.strip() for name in listed if name.strip()]
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise UserError(f"trust: {module} cannot be imported ({type(error).__name__}: {error})") from error
    return modules
