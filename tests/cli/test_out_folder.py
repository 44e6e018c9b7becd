"""A file given as the folder of results is named before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotter.cli import main


@pytest.mark.parametrize(
    "words", [["anticipate", "a", "b", "-o", "FILE"], ["join", "a", "-o", "FILE"], ["clips", "a", "b", "FILE"]]
)
def test_a_file_is_no_folder(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main([str(tmp_path / "file") if word == "FILE" else word for word in words]) == 2
    assert "file' is a file; give a folder" in capsys.readouterr().err
