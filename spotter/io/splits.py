"""Which games belong to a split: the official lists, a tree's own list, or the user's."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from spotter.bounded import parse_json, read_file
from spotter.errors import UsageError, UserError, did_you_mean, shorten
from spotter.io.files import atomic_write, json_bytes
from spotter.io.game_files import ROOT, check_games
from spotter.io.trees import find_games, read_game_files
from spotter.tasks import ASSETS, Task

SPLITS = ("train", "valid", "test", "challenge")
LABELLED = SPLITS[:3]
SCORED = LABELLED[1:]  # by a run
SPLITS_FILE = "splits.json"  # a tree's own list
USER_FILES = "user_files"  # in place of a split's name, where no split is predicted


def load_splits(
    task: Task,
    root: str | Path | None = None,
    overrides: Mapping[str, str | Sequence[str] | None] | None = None,
    known: Mapping[str, list[str]] | None = None,
) -> dict[str, list[str]]:
    """Return the games of every split, as ``league/season/match``.

    The official lists of ``task`` are the default; a ``splits.json`` in ``root``, a folder or zip, takes their place,
    and ``overrides`` replaces single splits by a list of games, of names of splits, or by a file with one game a line.
    known : the default in place of both

    Raises UserError for an unknown split name or an unreadable file.
    """
    packaged = ASSETS / "splits" / f"{task.splits or task.name}.json"
    base = own_splits(root) if known is None and root is not None else known
    if base is None:
        base = read_splits(packaged) if packaged.is_file() else {}
    splits = {name: list(base.get(name, [])) for name in SPLITS}
    for name, value in (overrides or {}).items():
        check_split(name)
        if value is not None:
            splits[name] = _games(name, value, base)
    return splits


def own_splits(root: str | Path) -> dict[str, list[str]] | None:
    """Return the splits that a folder or zip lists, None where it has no list."""
    path = Path(root)
    if (path / SPLITS_FILE).is_file():
        return read_splits(path / SPLITS_FILE)
    if not path.is_file() or not zipfile.is_zipfile(path) or ROOT not in find_games(path, SPLITS_FILE):
        return None
    ((_, content),) = read_game_files(path, [ROOT], SPLITS_FILE)
    return parse_splits(content, f"{path}/{SPLITS_FILE}")


def write_splits(root: Path, splits: Mapping[str, Sequence[str]]) -> None:
    """Write the list that ``load_splits`` finds in a tree."""
    atomic_write(root / SPLITS_FILE, json_bytes(splits))


def hold_out(splits: Mapping[str, list[str]], fold: str) -> dict[str, list[str]]:
    """Return splits for cross-validation: ``fold`` is ``i/n``, valid the i-th of n parts, train all other parts.

    Parts are every n-th game of train, valid and test together, in their order; i counts from 0. What is held out is
    not scored a second time as test.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", str(fold))
    games = list(dict.fromkeys(game for name in LABELLED for game in splits[name]))
    if match is None or not int(match[1]) < int(match[2]) or not 2 <= int(match[2]) <= len(games):
        raise UsageError(f"data.fold: expected i/n with 0 <= i < n and n of at most {len(games)} games, found {fold!r}")
    part = games[int(match[1]) :: int(match[2])]
    return {**splits, "train": [game for game in games if game not in part], "valid": part, "test": []}


def check_split(name: str) -> str:
    """Return ``name`` if it is a split's, else raise UserError."""
    if name not in SPLITS:
        raise UsageError(f"split {name!r} is unknown{did_you_mean(name, SPLITS)}")
    return name


def read_splits(path: Path) -> dict[str, list[str]]:
    """Read a list as ``write_splits`` writes it; raises UserError where it is none, or names what is no game."""
    return parse_splits(read_file(path), str(path))


def parse_splits(content: bytes, where: str) -> dict[str, list[str]]:
    """Return the content of such a list, which lies at ``where``; the errors are the same."""
    document = parse_json(content, where)
    if not isinstance(document, dict) or not all(isinstance(games, list) for games in document.values()):
        raise UserError(f"{where}: expected an object that maps split names to lists of games")
    return {check_split(name): check_games(games, where) for name, games in document.items()}


def _games(name: str, value: str | Sequence[str], base: Mapping[str, list[str]]) -> list[str]:
    if not isinstance(value, Sequence):
        raise UserError(
            f"data.splits.{name}: expected a list of games, of splits, or a text file, found {shorten(value)}"
        )
    if isinstance(value, str) and value not in SPLITS:
        path = Path(value)
        if not path.is_file():
            raise UserError(f"data.splits.{name}: no file {value!r}; give a list of games, of splits, or a text file")
        try:
            lines = read_file(path).decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise UserError(f"data.splits.{name}: {value!r} is no UTF-8 text with one game a line") from error
        value = [line.strip() for line in lines if line.strip()]
    entries = [value] if isinstance(value, str) else list(value)
    games: list[str] = []
    for entry in entries:
        known = isinstance(entry, str) and entry in SPLITS
        games += base.get(entry, []) if known else check_games([str(entry).rstrip("/")], f"data.splits.{name}")
    return list(dict.fromkeys(games))
