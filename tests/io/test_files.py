"""Files are written whole or not at all, also when the writer is killed or the disk is full."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from spotter.io.files import PART, atomic_file, atomic_write


def test_atomic_write_replaces_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    atomic_write(path, b"old")
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR
    with pytest.raises(TypeError):
        atomic_write(path, "text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"new"
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_a_full_disk_leaves_the_old_file_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    atomic_write(path, b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(OSError, match=r"cannot be written, File too large.*file\.bin") as caught:
            atomic_write(path, bytes(1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.bin"]


WRITER = """
import sys
from spotter.io.files import atomic_file
with atomic_file(sys.argv[1], sync=True) as file:
    file.write(b"new" * 1_000_000)
    file.flush()
    print("half", flush=True)
    sys.stdin.read()
"""


def test_a_killed_writer_leaves_the_old_file_and_a_part_that_the_next_deletes(tmp_path: Path) -> None:
    path = tmp_path / "a [1]*.bin"
    atomic_write(path, b"old")
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half\n"
        atomic_write(path, b"other")  # the part of a writer at work stays
        assert len(list(tmp_path.glob(f".*{PART}"))) == 1
        writer.send_signal(signal.SIGKILL)
    assert path.read_bytes() == b"other"
    assert len(list(tmp_path.glob(f".*{PART}"))) == 1
    atomic_write(path, b"newer")
    assert os.listdir(tmp_path) == [path.name]


def test_two_writers_of_one_file_leave_the_last(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    for content in (b"one", b"two"):
        with atomic_file(path) as file:
            with atomic_file(path) as other:
                other.write(b"other")
            file.write(content)
        assert path.read_bytes() == content
