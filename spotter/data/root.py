"""The folder that holds the games of a data set."""

from __future__ import annotations

from pathlib import Path

from spotter.errors import UserError


def check_root(root: str | Path | None) -> str | Path:
    """Return ``root``; raises UserError where it is not set or no folder."""
    if root is None:
        raise UserError(
            "data.root is not set: give data.root=FOLDER, or set the environment variable SOCCERNET_ROOT "
            "(data=ngs reads NGS_ROOT, data=tennis TENNIS_ROOT)"
        )
    if not Path(root).is_dir():
        raise UserError(f"data.root: no folder {str(root)!r}; give the official tree <root>/<league>/<season>/<game>/")
    return root
