"""Find what a run or a prediction left on disk, and what its own files say of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import orjson

from spotter.errors import UserError
from spotter.io.anticipation import FILE
from spotter.io.hub import is_hub, local_file
from spotter.io.predictions import METRICS, PREDICTION_ZIP
from spotter.io.scores import SCORES_INFO, load_scores_info
from spotter.io.splits import SPLITS
from spotter.tasks import Task, shipped_tasks

BEST = Path("checkpoints", "best.ckpt")
SLURM_JOB = Path(".hydra", "slurm_job")  # of a run: the number of the job that trains it


@dataclass(frozen=True, slots=True)
class Description:
    """Say what predictions are of, as far as the files beside them do.

    task : where its name is all that is known, that name, unless it is a shipped one
    split : an official name, None for a user's own files
    postprocess : the suppression in plain values, empty if it is unknown
    """

    task: Task | str | None
    split: str | None
    postprocess: dict[str, Any]


def find_checkpoint(path: str | PathLike[str]) -> Path:
    """Return the best checkpoint of a run folder; of one on the hub the downloaded file; any other path as it is.

    Raises UserError for a folder without it, and as ``spotter.io.hub.local_file`` does.
    """
    if is_hub(path):
        return local_file(path)
    file = Path(path) / BEST if Path(path).is_dir() else Path(path)
    if file != Path(path) and not file.is_file():
        raise UserError(f"{path}: a folder without {BEST}; give a checkpoint, or the folder of a finished run")
    return file


def is_finished_run(run: Path) -> bool:
    """Return whether a run has come to its end: its metrics are the last that it writes."""
    return (run / METRICS).is_file()


def folder_beside(path: str | PathLike[str]) -> Path:
    """Return where what a checkpoint predicts goes: the folder it lies in, the current one for one of the hub."""
    return Path() if is_hub(path) else find_checkpoint(path).parent


def find_predictions_of(path: Path, split: str | None = None) -> Path:
    """Return the folder of predictions that a run folder holds; any other path is returned as it is.

    split : which of a run's; by default test, or the only one that it has

    Raises UserError for a run without predictions of that split.
    """
    return _of_run(path, split, PREDICTION_ZIP) or _of_run(path, split, FILE) or path


def find_scores(path: Path, split: str | None = None) -> Path:
    """Return the folder of raw scores that ``path`` is, or holds as a prediction or as a run (see above).

    Raises UserError where there are none.
    """
    for folder in (path, path / "scores"):
        if (folder / SCORES_INFO).is_file():
            return folder
    found = _of_run(path, split, f"scores/{SCORES_INFO}")
    if found is None and not path.exists():
        raise UserError(f"{path}: no such folder; give a run, a prediction, or raw scores")
    if found is None:
        places = f"scores/ or predictions/{split or 'test'}/scores/"
        raise UserError(f"{path}: no raw scores here, nor in {places}: give a folder that holds {SCORES_INFO}")
    return found / "scores"


def describe(root: Path) -> Description:
    """Return what ``scores/scores.json`` and ``metrics.json`` beside predictions say, a folder or a zip in it."""
    folder = root if root.is_dir() else root.parent
    task: Task | str | None = None
    split, postprocess = None, {}
    if (folder / "scores" / SCORES_INFO).is_file():
        info = load_scores_info(folder / "scores")
        task, split, postprocess = info.task, info.split, info.postprocess.to_dict()
    metrics = _read(folder / METRICS)
    if isinstance(metrics.get("postprocess"), dict):
        postprocess = metrics["postprocess"]
    if task is None and isinstance(metrics.get("task"), str):
        task = Task.load(metrics["task"]) if metrics["task"] in shipped_tasks() else metrics["task"]
    split = split or metrics.get("split")
    return Description(task, split if split in SPLITS else None, postprocess)


def _of_run(path: Path, split: str | None, holds: str) -> Path | None:
    """Return ``<path>/predictions/<split>`` of a run folder, None if ``path`` is none."""
    folder = path / "predictions"
    present = [name for name in SPLITS if (folder / name / holds).is_file()]
    if not present:
        return None
    wanted = split or ("test" if "test" in present else present[0])
    if wanted not in present or (split is None and wanted != "test" and len(present) > 1):
        raise UserError(f"{folder}: holds {' and '.join(present)}, not {split or 'test'}: choose by --split")
    return folder / wanted


def _read(path: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def slurm_job() -> str | None:
    """Return the number of this process's SLURM job, as scontrol takes it; None outside of one."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")
