"""Files are written whole or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from spotter.io.files import atomic_write


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
