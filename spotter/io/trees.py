"""Find and read the JSON files of games in a folder, in a zip, or as a single file."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from spotter.errors import UserError
from spotter.io.entries import Entries

_BAD_ZIP = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError)  # RuntimeError: encrypted, or an unknown method


def find_games(root: str | Path, file_name: str) -> list[str]:
    """Return the sorted games of a folder or zip: every directory, at any depth, that holds ``file_name``.

    A single JSON file holds one game, named by its ``UrlLocal`` or else by its folder.
    """
    root = _check_root(root)
    if root.suffix == ".json":
        document = _document(root.read_bytes(), str(root))
        name = str(document.get("UrlLocal") or "").strip("/") if isinstance(document, dict) else ""
        return [name or root.absolute().parent.name]
    if root.is_dir():
        return sorted(folder.relative_to(root).as_posix() for folder, names in _walk(root) if file_name in names)
    with zipfile.ZipFile(root) as archive:
        members = map(PurePosixPath, archive.namelist())
        return sorted(str(member.parent) for member in members if member.name == file_name)


def read_entries(
    root: str | Path, games: Iterable[str], file_name: str, key: str, remedy: str
) -> Iterator[tuple[str, Entries]]:
    """Yield each game with the entries that its file lists under ``key``; a single file is that of the one game.

    Raises UserError for a file that is missing, with the ``remedy``, or that is not such JSON.
    """
    root = _check_root(root)
    if root.suffix == ".json":
        yield from _only_game(root, list(games), key)
        return
    archive = None if root.is_dir() else zipfile.ZipFile(root)
    try:
        for game in games:
            member = str(PurePosixPath(game, file_name))
            try:
                content = (root / member).read_bytes() if archive is None else archive.read(member)
            except (KeyError, FileNotFoundError, NotADirectoryError) as error:
                raise UserError(f"{root}: no {member}: {_hint(root, member) or remedy}") from error
            except _BAD_ZIP as error:
                raise UserError(f"{root}: cannot read {member} ({error}): make the zip again") from error
            where = f"{root}/{member}"
            yield game, Entries(where, _parse(content, where, key))
    finally:
        if archive is not None:
            archive.close()


def _only_game(path: Path, games: list[str], key: str) -> Iterator[tuple[str, Entries]]:
    if len(games) != 1:
        raise UserError(f"{path}: a single file holds one game, not {len(games)}: give a folder or a zip of all games")
    yield games[0], Entries(str(path), _parse(path.read_bytes(), str(path), key))


def _parse(content: bytes, where: str, key: str) -> list[Any]:
    document = _document(content, where)
    if not isinstance(document, dict) or not isinstance(document.get(key), list):
        raise UserError(f"{where}: expected an object with a list {key!r}: is it the right file?")
    return document[key]


def _document(content: bytes, where: str) -> Any:
    import orjson  # here, so that networks, arrays and training do without

    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            return json.loads(content)  # takes bare NaN and Infinity, as the official code does
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: not JSON ({error}): correct the file or write it again") from error


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
    """Return the remedy where the member lies one directory deeper, a common mistake in making a zip."""
    if root.is_dir():
        found = [folder.name for folder in root.iterdir() if (folder / member).is_file()]
    else:
        with zipfile.ZipFile(root) as archive:
            found = [name.removesuffix(f"/{member}") for name in archive.namelist() if name.endswith(f"/{member}")]
    return f"it lies in {found[0]!r}: give that folder, or a zip of what is inside it" if found else None
