"""Find and read the JSON files of games in a folder, in a zip, or as a single file."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path, PurePosixPath

from spotter.bounded import open_zip, parse_json, read_file, read_member
from spotter.errors import UserError
from spotter.io.entries import Entries
from spotter.io.game_files import check_game, check_games, game_file
from spotter.tasks import Task, shipped_tasks


def find_games(root: str | Path, file_name: str) -> list[str]:
    """Return the sorted games of a folder or zip: every directory, at any depth, that holds ``file_name``.

    A single JSON file holds one game, named by its ``UrlLocal`` or else by its folder. Raises UserError for a game
    that would lie elsewhere, see ``check_game``.
    """
    root = _check_root(root)
    if root.suffix == ".json":
        return [_name_of_only_game(root)]
    if root.is_dir():
        return sorted(folder.relative_to(root).as_posix() for folder, names in _walk(root) if file_name in names)
    with open_zip(root) as archive:
        parts = (name.rpartition("/") for name in archive.namelist())
        return sorted(
            check_games([folder if slash else "." for folder, slash, name in parts if name == file_name], root)
        )


def read_entries(
    root: str | Path, games: Iterable[str], file_name: str, key: str | Sequence[str], remedy: str
) -> Iterator[tuple[str, Entries]]:
    """Yield each game with the entries that its file lists under ``key``; a single file is that of the one game.

    key : or several, of which the first counts that a file has

    Raises UserError for a file that is missing, with the ``remedy``, or that is not such JSON.
    """
    root, keys = _check_root(root), [key] if isinstance(key, str) else key
    if root.suffix == ".json":
        yield from _only_game(root, list(games), keys)
        return
    with nullcontext() if root.is_dir() else open_zip(root) as archive:
        for game in games:
            member = str(PurePosixPath(check_game(game, root), file_name))
            try:
                content = _content(root, game, file_name, archive)
            except (KeyError, FileNotFoundError, NotADirectoryError) as error:
                raise UserError(f"{root}: no {member}: {_hint(root, member) or remedy}") from error
            where = f"{root}/{member}"
            yield game, _parse(content, where, keys)


def read_game_files(root: Path, games: Iterable[str], file_name: str) -> Iterator[tuple[str, bytes]]:
    """Yield each game with the content of its file, of a folder or a zip, that ``find_games`` found there."""
    with nullcontext() if root.is_dir() else open_zip(root) as archive:
        for game in games:
            yield game, _content(root, game, file_name, archive)


def _content(root: Path, game: str, file_name: str, archive: zipfile.ZipFile | None) -> bytes:
    if archive is None:
        return read_file(game_file(root, game, file_name))
    return read_member(archive, str(PurePosixPath(check_game(game, root), file_name)), str(root))


def _name_of_only_game(path: Path) -> str:
    document = parse_json(read_file(path), str(path))
    name = document.get("UrlLocal") if isinstance(document, dict) else None
    name = name.rstrip("/") if isinstance(name, str) else name
    return check_game(name, path) if name else path.absolute().parent.name


def _only_game(path: Path, games: list[str], keys: Sequence[str]) -> Iterator[tuple[str, Entries]]:
    if len(games) != 1:
        raise UserError(f"{path}: a single file holds one game, not {len(games)}: give a folder or a zip of all games")
    yield games[0], _parse(read_file(path), str(path), keys)


def _parse(content: bytes, where: str, keys: Sequence[str]) -> Entries:
    document = parse_json(content, where)
    if isinstance(document, dict):
        for key in keys:
            if isinstance(document.get(key), list):
                return Entries(where, document.pop(key), document)
    raise UserError(f"{where}: expected an object with a list {' or '.join(map(repr, keys))}: is it the right file?")


def _check_root(root: str | Path) -> Path:
    root = Path(root)
    if not root.exists():
        raise UserError(f"{root}: no such folder or zip")
    if root.is_dir() or root.suffix == ".json":
        return root
    if not zipfile.is_zipfile(root):
        raise UserError(f"{root}: neither a folder nor a zip: give the root of the games' folders, or a zip of it")
    return root


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    for folder, folders, names in os.walk(root, followlinks=True, onerror=_raise):
        folders[:] = [name for name in folders if not _leads_back(Path(folder, name))]
        yield Path(folder), names


def _leads_back(folder: Path) -> bool:
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _raise(error: OSError) -> None:
    raise error


def _hint(root: Path, member: str) -> str | None:
    """Return the remedy where the member lies one directory deeper, as in many zips, or is a file of another task."""
    if root.is_dir():
        beside = sorted(file.name for file in (root / member).parent.glob("Labels*.json"))
        if beside and Path(member).name.startswith("Labels"):
            names = [task.name for task in map(Task.load, shipped_tasks()) if task.label_file == beside[0]]
            readers = f", such as {', '.join(names)}" if names else ""
            return f"there is {beside[0]}: choose a task that reads it{readers}"
        found = [folder.name for folder in root.iterdir() if (folder / member).is_file()]
    else:
        with open_zip(root) as archive:
            found = [name.removesuffix(f"/{member}") for name in archive.namelist() if name.endswith(f"/{member}")]
    return f"it lies in {found[0]!r}: give that folder, or a zip of what is inside it" if found else None
