"""Write files so that a reader sees the old content or the new, never a part."""

from __future__ import annotations

import errno
import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

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


@contextmanager
def atomic_file(path: str | Path, sync: bool = False) -> Iterator[BinaryIO]:
    """Open a file that gets its name when all of it is written, and vanishes when something goes wrong before.

    sync : wait until it is on disk, so that not even a loss of power leaves a part under its name

    What killed processes have left of the same file is deleted. Raises OSError that names ``path`` for a full disk.
    """
    path = Path(path)
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = _open_part(path)
        lock = os.dup(descriptor)  # kept until the file has its name
        try:
            with os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
                yield file
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp gives 0600, which would keep other users of a cluster out
            os.replace(temporary, path)
            if sync:
                _sync_folder(path.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        finally:
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


def _open_part(path: Path) -> tuple[int, str]:
    """Create and lock a temporary file beside ``path``; those that nobody writes any more are deleted."""
    prefix = f".{path.name[:40]}."
    for part in path.parent.glob(f"{glob.escape(prefix)}*{PART}"):
        with suppress(OSError), part.open("rb") as left:  # a lock that cannot be had: somebody writes it
            _lock(left.fileno(), wait=False)
            part.unlink()
    while True:
        descriptor, temporary = tempfile.mkstemp(prefix=prefix, suffix=PART, dir=path.parent)
        with suppress(OSError):  # not every file system has locks
            _lock(descriptor, wait=True)
        if os.fstat(descriptor).st_nlink:
            return descriptor, temporary
        os.close(descriptor)  # another process took it for left over before it was locked


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
