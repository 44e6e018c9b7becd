"""A tree that lies elsewhere, in an object store for instance: what a run needs of it is fetched once."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from spotter.data.commentary.text_model import TEXT_MODEL
from spotter.data.fps import parse_fps
from spotter.data.parts import PartSource
from spotter.data.source import Source
from spotter.errors import UserError
from spotter.io.files import atomic_file, locked
from spotter.io.game_files import ROOT, fault_of, game_file_to_write
from spotter.io.splits import SPLITS_FILE
from spotter.progress import ProgressDisplay
from spotter.types import Half

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

log = logging.getLogger(__name__)

AT_ONCE = 8  # files that are fetched
LOCK = ".fetching"  # file of a root, held by the process that fetches


class RemoteTree:
    """Fetch files of a tree by fsspec, whole, one after the other or several at once.

    url : of its root: ``s3://bucket/SoccerNet``, ``https://host/SoccerNet`` with listings of folders, and so on

    Raises UserError for a protocol that is unknown, or whose package is not installed, and for a query.
    """

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs  # here, for few need it

        self.url, self._http = url.rstrip("/"), url.startswith("http")
        if self._http and {"?", "#"} & set(url):
            raise UserError(f"data.remote: {url}: give the address of a folder, without a query: files have others")
        try:
            self._fs: AbstractFileSystem = url_to_fs(self.url)[0]
        except (ImportError, ValueError) as error:
            raise UserError(f"data.remote: {self.url} cannot be opened ({error})") from error

    def files(self, folder: str) -> dict[str, int | None]:
        """Return the sizes in bytes, None where they are unknown, of the files in a folder, by their names."""
        try:
            listed = self._fs.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return {}
        except Exception as error:  # whatever the file system raises
            raise UserError(f"data.remote: {self.url}/{folder} cannot be listed ({error})") from error
        decode = unquote if self._http else str
        return {decode(each["name"]).rstrip("/").rpartition("/")[2]: each["size"] for each in listed}

    def fetch(self, folder: str, name: str, root: Path, expected: int | None = None) -> int:
        """Write a file, of so many bytes where that is known, under its name below ``root``; return its bytes."""
        target = game_file_to_write(root, folder, name)
        try:
            with self._fs.open(self._path(folder, name), "rb") as there, atomic_file(target) as here:
                shutil.copyfileobj(there, here, 1 << 20)
                size = here.tell()
                if expected is not None and size != expected:
                    raise OSError(f"{size} of {expected} bytes came")
        except Exception as error:  # whatever the file system raises
            raise UserError(f"data.remote: {self.url}/{folder}/{name} cannot be fetched ({error})") from error
        return size

    def _path(self, *below: str) -> str:
        parts = [quote(part) if self._http else part for part in below if part != ROOT]
        return str(self._fs._strip_protocol("/".join([self.url, *parts])))


def fetch_root(remote: RemoteTree, root: Path, source: Source) -> None:
    """Fetch what lies in the root of the tree itself, its splits and what made its features, as far as it lacks it."""
    makers = {f"{stream.file}{ending}" for stream in source.spec.streams for ending in (".npz", TEXT_MODEL)}
    lacking = {name for name in {SPLITS_FILE, *makers} if not (root / name).exists()}
    there = remote.files(ROOT) if lacking else {}
    for name in lacking & there.keys():
        remote.fetch(ROOT, name, root, there[name])


def fetch_games(
    remote: RemoteTree, root: Path, games: Sequence[str], halves: Sequence[int], source: Source, labels: Collection[str]
) -> None:
    """Fetch the input of games, of all halves, and their label files, as far as they are not there yet.

    What is not there either stays away, and is named as missing by whoever reads the tree.
    """
    source = source.whole if isinstance(source, PartSource) else source  # a tree holds whole halves
    with locked(root / LOCK):  # another rank that waited finds all there
        incomplete = [game for game in games if _lacks(game, root, halves, source, labels)]
        if not incomplete:
            return
        log.info("fetching what %s lacks of %d games from %s", root, len(incomplete), remote.url)

        def complete(game: str) -> tuple[int, int]:
            there = remote.files(game)
            wanted = _wanted(list(there), halves, source, labels)
            wanted.sort(key=lambda name: name.endswith(".npy"))  # a game with all features lacks nothing, when cut off
            lacking = [name for name in wanted if not game_file_to_write(root, game, name).exists()]
            return len(lacking), sum(remote.fetch(game, name, root, there[name]) for name in lacking)

        files = size = 0
        with ProgressDisplay(len(incomplete), "games") as progress, ThreadPoolExecutor(AT_ONCE) as pool:
            for done, (count, total) in enumerate(pool.map(complete, incomplete), start=1):
                files, size = files + count, size + total
                progress.update(done / len(incomplete))
    log.info("%d files fetched, %.1f MB", files, size / 1e6)


def _lacks(game: str, root: Path, halves: Sequence[int], source: Source, labels: Collection[str]) -> bool:
    lacking = any(source.missing(Half(game, number)) for number in halves)
    return lacking or any(not (root / game / name).is_file() for name in labels)


def _wanted(there: list[str], halves: Sequence[int], source: Source, labels: Collection[str]) -> list[str]:
    """Return what is read of a game, out of the names of its files."""
    spec, wanted = source.spec, set(labels)
    for number in halves:
        if spec.image is not None:
            wanted.add(_choose_video(there, number, spec.image.size[0], source))
        for stream in spec.streams:
            wanted |= {f"{number}_{stream.file}.npy", f"{number}_{stream.file}.json"}
    return [name for name in there if name in wanted]


def _choose_video(there: list[str], number: int, height: int, source: Source) -> str:
    """Return the name of the store or video that a half would be read from, if all names were here."""
    from spotter.data.video.find import find_input  # here, for it needs more packages than features do

    with tempfile.TemporaryDirectory() as folder:
        for name in there:
            if fault_of(name) is None:
                Path(folder, name).touch()
        found = find_input(Path(folder), number, height, parse_fps(source.fps))
        return "" if found is None else found.name
