"""Labels and splits for a tree that a command makes from another one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from spotter.data.video.jobs import game_folders
from spotter.io.files import atomic_write


def copy_labels(src: Path, dst: Path, games: Collection[str] | None = None) -> tuple[int, list[Path]]:
    """Copy label files and ``splits.json`` into the same folders of another tree.

    Returns how many were copied, and those of ``dst`` that differ, which are kept.
    """
    copied = 0
    kept: list[Path] = []
    if src.resolve() == dst.resolve():
        return copied, kept
    files = [src / "splits.json"] if (src / "splits.json").is_file() else []
    for folder in game_folders(src):
        if games is None or folder.relative_to(src).as_posix() in games:
            files += sorted(folder.glob("Labels*.json"))
    for file in files:
        target = dst / file.relative_to(src)
        if not target.exists():
            atomic_write(target, file.read_bytes())
            copied += 1
        elif target.read_bytes() != file.read_bytes():
            kept.append(target)
    return copied, kept
