"""Write files so that a reader sees the old content or the new, never a part."""

from __future__ import annotations

import errno
import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from numpy.typing import NDArray

try:
    import fcntl
except ImportError:  # Windows: there parts of killed processes stay
    fcntl = None  # type: ignore[assignment]

PART = ".part"
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def atomic_write(path: str | Path, content: bytes) -> None:
    """Write ``content`` under a temporary name beside ``path``, then rename it; missing folders are made."""
    with atomic_file(path) as file:
        file.write(content)


def write_array(path: str | Path, rows: NDArray) -> None:
    """Write an ``.npy`` file as ``atomic_file`` does, without a second copy in memory."""
    import numpy as np  # here, so that commands start without

    with atomic_file(path) as file:
        np.lib.format.write_array(file, rows, allow_pickle=False)


def json_bytes(content: object) -> bytes:
    """Return plain values as indented JSON."""
    import orjson  # here, so that networks, arrays and training do without

    return orjson.dumps(content, option=orjson.OPT_INDENT_2)


@contextmanager
def atomic_file(path: str | Path, sync: bool = False) -> Iterator[BinaryIO]:
    """Open a file that gets its name when all of it is written, and vanishes when something goes wrong before.

    sync : wait until it is on disk, so that not even a loss of power leaves a part under its name

    What killed processes have left of the same file is deleted. Raises OSError that names ``path`` for a full disk.
    """
    path = Path(path)
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name[:40]}."
        _delete_left(path.parent, prefix)
        part = path.with_name(f"{prefix}{secrets.token_hex(4)}{PART}")
        locks: list[int] = []  # kept until the file has its name
        try:  # from here on, an interruption at any instant leaves nothing
            descriptor = _create(part)
            locks.append(os.dup(descriptor))
            with os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
                yield file
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(part, path)
            if sync:
                _sync_folder(path.parent)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        finally:
            for lock in locks:
                os.close(lock)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let the error of a full disk, which names no file, name the one that is written."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL and error.filename is None:
            raise OSError(error.errno, f"cannot be written, {error.strerror}", str(path)) from error
        raise


def _delete_left(folder: Path, prefix: str) -> None:
    """Delete the parts of a file that nobody writes any more; who writes one holds a lock on it."""
    for part in folder.glob(f"{glob.escape(prefix)}*{PART}"):
        with suppress(OSError), part.open("rb") as left:
            _lock(left.fileno(), wait=False)
            part.unlink()


def _create(part: Path) -> int:
    """Create, open and lock a file."""
    while True:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        with suppress(OSError):  # not every file system has locks
            _lock(descriptor, wait=True)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # another process took it for left over before it was locked


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time pass that names this file, which stays; where there are no locks, all do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with suppress(OSError):
            _lock(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> None:
    if fcntl is None:
        raise OSError("no locks on this system")
    fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every system opens folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
