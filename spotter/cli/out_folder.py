"""Where results may be written: never over what is read, nor over another run or prediction."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spotter.errors import UsageError

FOREIGN = (".hydra", "checkpoints", "metrics.json", "scores", "scores.json")


def check_folder(out: Path, option: str) -> None:
    """Raise UsageError where ``out`` is a file."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{option}: {str(out)!r} is a file; give a folder")


def check_out(out: Path, inputs: Iterable[Path], own: str, option: str = "--out") -> None:
    """Raise UsageError where ``out`` is a file, or writing there would destroy a run, a prediction or what is read.

    own : the file that tells an earlier prediction of the same command, which may be written over
    """
    check_folder(out, option)
    theirs = [name for name in FOREIGN if (out / name).exists()]
    if theirs and not (out / own).is_file():
        raise UsageError(f"{option}: {out} holds another run or prediction ({theirs[0]}); give another folder")
    folder = out.resolve()
    for path in (each.resolve() for each in inputs):
        if path in (folder, *folder.parents):
            raise UsageError(f"{option}: {out} lies in an input, {path}; give another folder")
        if (folder / "scores") in (path, *path.parents) or (path.parent == folder and path.is_file()):
            raise UsageError(f"{option}: {out} holds an input, {path}; give another folder")
