"""Read files that anybody may have written: JSON, YAML and zips, within bounds of size, number and depth."""

from __future__ import annotations

import json
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from spotter.errors import UserError

MB = 1 << 20
MOST_JSON = 256 * MB  # a half without a threshold has some 20 MB
MOST_VALUES = 4_000_000, 40_000_000  # containers, and separators between values: objects take 20 times their text
MOST_YAML = MB
MOST_MEMBERS, MOST_RATIO = 100_000, 200  # of a zip: files, and what comes out over its size; labels shrink to a tenth
BAD_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, ValueError, OverflowError, OSError)
BAD_ARRAYS = (*BAD_ZIP, KeyError, TypeError, MemoryError, SyntaxError, tokenize.TokenError)


def read_file(path: str | Path, most: int = MOST_JSON) -> bytes:
    """Return the content of a file; raises UserError for more than ``most`` bytes, before they are in memory."""
    with Path(path).open("rb") as file:
        content = file.read(most + 1)
    _check_size(len(content), most, str(path))
    return content


def parse_json(content: bytes, where: str, remedy: str = "correct the file or write it again") -> object:
    """Return what JSON holds; bare NaN and Infinity are taken, as the official code does.

    Raises UserError, beginning with ``where``, for anything else, and for JSON that is too large, deep or full.
    """
    import orjson  # here, so that networks, arrays and training do without

    _check_size(len(content), MOST_JSON, where)
    containers, separators = content.count(b"{") + content.count(b"["), content.count(b",")
    if containers > MOST_VALUES[0] or separators > MOST_VALUES[1]:
        raise UserError(f"{where}: holds more than {MOST_VALUES[0]:,} objects or {MOST_VALUES[1]:,} values: {remedy}")
    try:
        document: object = orjson.loads(content)
        return document
    except orjson.JSONDecodeError:
        try:
            document = json.loads(content)
            return document
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: not JSON ({error}): {remedy}") from error


class _Loader(yaml.SafeLoader):
    """Load plain values; aliases, of which a few stand for more than fits into memory, and huge numbers are refused."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read")
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node: Any) -> int:
        """Return a whole number."""
        number = int(super().construct_yaml_int(node))
        if number.bit_length() > 64:
            raise yaml.YAMLError("a whole number has more than 64 bits")
        return number


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def read_yaml(path: str | Path) -> object:
    """Return the plain values of a YAML file; raises UserError for one that is missing, too large or not YAML."""
    try:
        content = read_file(path, MOST_YAML)
        document: object = yaml.load(content.decode("utf-8-sig"), _Loader)  # noqa: S506, it derives from SafeLoader
        return document
    except (yaml.YAMLError, OSError, ValueError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not a readable YAML file ({reason})") from error


@contextmanager
def open_zip(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip to read; raises UserError where it is damaged, or what it declares is out of bounds."""
    with Path(path).open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        except BAD_ZIP as error:
            raise UserError(f"{path}: no readable zip ({error}): make it again") from error
        with archive:
            _check_members(archive, file, str(path))
            _use_slashes(archive)
            yield archive


def _use_slashes(archive: zipfile.ZipFile) -> None:
    """Name the members as the standard of zips does, where some program of Windows wrote backslashes."""
    for member in archive.infolist():
        member.filename = member.filename.replace("\\", "/")
    archive.NameToInfo = {member.filename: member for member in archive.infolist()}


def load_arrays(file: IO[bytes], where: str, remedy: str) -> dict[str, NDArray]:
    """Return the arrays of an ``.npz``, nothing pickled; raises UserError for a file that is none or too large."""
    try:
        with zipfile.ZipFile(file) as archive:
            _check_members(archive, file, where)
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except BAD_ARRAYS as error:
        raise UserError(f"{where}: {remedy} ({error})") from error


def _check_members(archive: zipfile.ZipFile, file: IO[bytes], where: str) -> None:
    """Raise UserError where a zip declares more files, or more bytes, than anything that spotter reads."""
    members, size = archive.infolist(), file.seek(0, 2)
    if len(members) > MOST_MEMBERS:
        raise UserError(f"{where}: holds {len(members):,} files, at most {MOST_MEMBERS:,} are read")
    if sum(member.file_size for member in members) > MOST_JSON + MOST_RATIO * size:
        raise UserError(f"{where}: would unpack to more than {MOST_RATIO} times its size, more than spotter's files do")


def read_member(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    """Return a member of a zip, at most 256 MB by what it declares and by what comes out.

    Raises UserError, beginning with ``where``, for more, a link and a damaged one; KeyError where there is none.
    """
    member = archive.getinfo(name)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UserError(f"{where}: {name} is a link, which is not followed: put the file itself into the zip")
    try:
        _check_size(member.file_size, MOST_JSON, f"{where}/{name}")
        with archive.open(member) as file:
            content = file.read(MOST_JSON + 1)
        _check_size(len(content), MOST_JSON, f"{where}/{name}")
        return content
    except BAD_ZIP as error:
        raise UserError(f"{where}: cannot read {name} ({error}): make the zip again") from error


def _check_size(size: int, most: int, where: str) -> None:
    if size > most:
        raise UserError(f"{where}: has more than {most / MB:g} MB, which no file of its kind has")
