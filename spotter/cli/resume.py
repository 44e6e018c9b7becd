"""Which run goes on: the newest unfinished one of a model and data set."""

from __future__ import annotations

from pathlib import Path

from spotter.errors import UserError


def newest_unfinished(folder: Path) -> Path:
    """Return ``checkpoints/last.ckpt`` of the newest run in ``folder`` that has not written its ``metrics.json``."""
    runs = [path.parent.parent for path in folder.glob("*/checkpoints/last.ckpt")]
    unfinished = [run for run in runs if not (run / "metrics.json").is_file()]
    if not unfinished:
        raise UserError(f"ckpt=last: no unfinished run in {folder}; give ckpt=PATH, or leave it out to start anew")
    return max(unfinished, key=lambda run: run.name) / "checkpoints" / "last.ckpt"
