"""Where a file of a game may lie: below the root that is read or written, whatever the game is called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from spotter.errors import UserError, shorten

FAULTS = {  # of a name, by what it would do; all in one expression, for a data set has thousands of names
    "holds": r"[\x00-\x1f\x7f\ud800-\udfff]",
    "leaves": r"(?:^|(?<=[/\\]))[. ]*\.[. ]*(?:[/\\]|$)|(?:^|(?<=/))(?:/|$)|^\\",
    "means": r"(?:^|(?<=[/\\]))(?:[a-z]:|(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:[.:/\\]|$))",
}
FAULT = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in FAULTS.items()), re.IGNORECASE)
REASONS = {
    "holds": "which holds a control character or half of one",
    "leaves": "which leads out of its folder",
    "means": "which means something else on some systems",
}
LONGEST = 255  # bytes of a part of a path
ROOT = "."  # the game of a root that holds its files itself


def check_game(game: object, where: str | Path) -> str:
    """Return the name of a game if a folder of that name lies below any root, on any system.

    where : the file that names the game, or the option
    Raises UserError for a name with ``..``, an absolute or drive path, a backslash, NUL, a reserved name and so on.
    """
    fault = fault_of(game)
    if fault:
        raise UserError(f"{where}: names the game {shorten(game)}, {fault}: a game is a folder, league/season/match")
    return str(game)


def check_games(games: Iterable[object], where: str | Path) -> list[str]:
    """Return the names of games; the errors are those of ``check_game``."""
    return [check_game(game, where) for game in games]


def check_file_name(name: object, key: str) -> str:
    """Return the name of a file within a game's folder; raises UserError, naming ``key``, where it is a path."""
    if not isinstance(name, str) or {"/", "\\"} & set(name) or name == ROOT or fault_of(name):
        raise UserError(f"{key}: expected the name of a file in the folder of a game, found {shorten(name)}")
    return name


def game_file(root: str | Path, game: str, name: str) -> Path:
    """Return ``<root>/<game>/<name>``, to be read; the errors are those of ``check_game``.

    Links in a tree are followed: data sets lie on several disks.
    """
    return Path(root, check_game(game, root), name)


def game_file_to_write(root: str | Path, game: str, name: str) -> Path:
    """Return ``<root>/<game>/<name>``, to be written or deleted: no link below the root leads out of it.

    Raises UserError where one does, and as ``check_game``.
    """
    path = game_file(root, game, name)
    if not path.parent.resolve().is_relative_to(Path(root).resolve()) or path.is_symlink():
        raise UserError(f"{path}: a link leads out of {root}: remove it, or give another folder")
    return path


def fault_of(game: object) -> str | None:
    """Return what is wrong with a name, None if nothing is."""
    if not isinstance(game, str) or not game:
        return "which is no text"
    found = FAULT.search(game) if game != ROOT else None
    if found:
        return REASONS[str(found.lastgroup)]
    if len(game) > LONGEST // 4 and any(len(part.encode()) > LONGEST for part in game.split("/")):
        return "which is too long"
    return None
