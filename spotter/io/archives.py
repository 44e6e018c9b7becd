"""Zips of games unpacked into a tree: only what is wanted, only below its root."""

from __future__ import annotations

import logging
import shutil
import stat
import zipfile
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from spotter.bounded import BAD_ZIP, open_zip
from spotter.errors import UserError, plural
from spotter.io.files import atomic_file
from spotter.io.game_files import ROOT, game_file_to_write

log = logging.getLogger(__name__)
ENCRYPTED = 1  # bit of a member's flags


def unpack_games(path: Path, root: Path, games: Iterable[str], files: Sequence[str]) -> tuple[int, int]:
    """Unpack files of games and return how many were written, and how many lay there already.

    games : whose folders may lie deeper in the zip than in ``root``; others keep the place that the zip gives them
    files : names, or patterns of them

    Raises UserError for a damaged or encrypted zip, for links, and where the disk is too small.
    """
    written = kept = 0
    known = list(games)
    with open_zip(path) as archive:
        members = [(each, _place(root, each, known)) for each in archive.infolist() if _is_wanted(each, files)]
        todo = [(each, place) for each, place in members if not place.is_file()]
        kept = len(members) - len(todo)
        warn_of_others([place for each, place in members if place.is_file() and place.stat().st_size != each.file_size])
        check_space(root, sum(each.file_size for each, _ in todo), f"what {path.name} holds")
        for member, place in todo:
            _write(archive, member, place, path)
            written += 1
    return written, kept


def warn_of_others(paths: Sequence[Path]) -> None:
    """Say once which files stay, though what would have come in their place has another size."""
    if paths:
        log.warning(
            "%s in another size than published and kept, first %s: delete it to get the published one",
            *(plural(len(paths), "file"), paths[0]),
        )


def check_space(root: Path, size: int, what: str) -> None:
    """Raise UserError where a disk has no room for ``size`` bytes."""
    existing = next(each for each in (root.absolute(), *root.absolute().parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if size > free:
        raise UserError(f"{root}: {what} needs {gigabytes(size)}, and {gigabytes(free)} are free: make room")


def gigabytes(size: int) -> str:
    """Return bytes as people read them."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def _is_wanted(member: zipfile.ZipInfo, files: Sequence[str]) -> bool:
    name = member.filename.rpartition("/")[2]
    return bool(name) and not name.startswith("._") and any(fnmatchcase(name, pattern) for pattern in files)


def _place(root: Path, member: zipfile.ZipInfo, games: Iterable[str]) -> Path:
    folder, _, name = member.filename.rpartition("/")
    game = next((game for game in games if f"/{folder}".endswith(f"/{game}")), folder)
    return game_file_to_write(root, game or ROOT, name)


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path, path: Path) -> None:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UserError(f"{path}: {member.filename} is a link, which is not followed")
    if member.flag_bits & ENCRYPTED:
        raise UserError(
            f"{path}: is encrypted; unpack it with the password that came with your access: 7z x {path.name}"
        )
    try:
        source = archive.open(member)
    except BAD_ZIP as error:
        raise UserError(f"{path}: cannot read {member.filename} ({error}): delete it and download again") from error
    with source, atomic_file(place) as file:
        try:
            shutil.copyfileobj(source, file, 1 << 20)
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise UserError(f"{path}: {member.filename} is damaged ({error}): delete it, download again") from error
