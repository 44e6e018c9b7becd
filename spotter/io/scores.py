"""Raw scores: the stitched output of one half, stored so that suppression is tuned without the network."""

from __future__ import annotations

import io
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.bounded import load_arrays, parse_json, read_file
from spotter.errors import UserError
from spotter.io.files import atomic_write, json_bytes
from spotter.io.game_files import game_file_to_write
from spotter.io.splits import USER_FILES
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.types import Half, Period

SCORES_INFO = "scores.json"
DAMAGED = "damaged, or not raw scores; write the scores again"


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Hold the raw output for one half: T anchors in time, K classes.

    logits : (T, K) float32
    displacement : (T, K) float32 or None, signed distance from the anchor to its spot, in anchors
    fps : anchors per second
    offset : seconds of anchor 0; anchor i lies at ``offset + i / fps``
    period : where the half lies in a file that holds others, too; None where it is a file of its own
    """

    logits: NDArray[np.float32]
    displacement: NDArray[np.float32] | None
    fps: float
    offset: float = 0.0
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class ScoresInfo:
    """Hold what a folder of scores belongs to, and the suppression it was written with.

    halves : all that the folder is to hold; None where an earlier version has not written it
    """

    task: Task
    split: str
    postprocess: Postprocess
    halves: tuple[Half, ...] | None = None


def save_scores(folder: str | Path, half: Half, scores: Scores) -> None:
    """Write ``<folder>/<game>/<number>.npz``."""
    arrays: dict[str, Any] = {"logits": scores.logits, "fps": scores.fps, "offset": scores.offset}
    if scores.displacement is not None:
        arrays["displacement"] = scores.displacement
    if scores.period is not None:
        arrays["period"] = scores.period
    content = io.BytesIO()
    np.savez(content, **arrays)
    atomic_write(game_file_to_write(folder, half.game, f"{half.number}.npz"), content.getvalue())


def load_scores(folder: str | Path) -> Iterator[tuple[Half, Scores]]:
    """Iterate over the halves in ``folder``, by game and number.

    Raises UserError for a folder without scores and for a file that is damaged or another file.
    """
    paths = sorted(Path(folder).rglob("*.npz"))
    if not paths:
        raise UserError(f"{folder}: no scores (<game>/1.npz) here; give a folder that holds raw scores of a split")
    for path in paths:
        if not path.stem.isdecimal() or path.stem.startswith("0"):
            raise UserError(f"{path}: not the scores of a half, which are named 1.npz, 2.npz and so on; remove it")
        yield Half(path.parent.relative_to(folder).as_posix(), int(path.stem)), _read(path)


def check_whole(folder: str | Path, info: ScoresInfo, found: Collection[Half]) -> None:
    """Raise UserError where scores that ``info`` lists are not among those that were found in ``folder``."""
    lacking = [half for half in info.halves or () if half not in found]
    if lacking:
        raise UserError(
            f"{folder}: lacks the scores of {len(lacking)} of {len(info.halves or ())} halves, first "
            f"{lacking[0].game}, half {lacking[0].number}: the prediction was interrupted, or files were removed; "
            "predict again"
        )


def save_scores_info(folder: str | Path, info: ScoresInfo) -> None:
    """Write ``<folder>/scores.json``."""
    content: dict[str, Any] = {
        "task": info.task.to_dict(),
        "split": info.split,
        "postprocess": info.postprocess.to_dict(),
    }
    if info.halves is not None:
        content["halves"] = [[half.game, half.number] for half in info.halves]
    atomic_write(Path(folder) / SCORES_INFO, json_bytes(content))


def delete_scores(folder: str | Path) -> None:
    """Delete the raw scores in ``folder``, so that two predictions are never mixed, even if one is interrupted."""
    if (Path(folder) / SCORES_INFO).is_file():
        shutil.rmtree(folder)


def load_scores_info(folder: str | Path) -> ScoresInfo:
    """Read ``<folder>/scores.json``; raises UserError where it is missing or damaged."""
    path = Path(folder) / SCORES_INFO
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a folder that holds raw scores of a split")
    try:
        content: Any = parse_json(read_file(path), str(path))
        task = Task.load_stored(content["task"])
        split = USER_FILES if content["split"] == "own" else str(content["split"])  # as earlier versions called them
        postprocess = Postprocess.load(content["postprocess"], len(task.classes))
        listed = content.get("halves")
        halves = None if listed is None else tuple(Half(str(game), int(number)) for game, number in listed)
        return ScoresInfo(task, split, postprocess, halves)
    except (ValueError, KeyError, TypeError, UserError) as error:
        raise UserError(f"{path}: does not describe raw scores ({error}); write the scores again") from error


def _read(path: Path) -> Scores:
    """Read one half's scores and check that they are whole."""
    with path.open("rb") as file:
        arrays = load_arrays(file, str(path), DAMAGED)
    try:
        start, end = map(float, arrays.get("period", (0, np.nan)))
        period = None if np.isnan(end) else Period(start, end)
        fps, offset = float(arrays["fps"]), float(arrays["offset"])
        scores = Scores(arrays["logits"], arrays.get("displacement"), fps, offset, period)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: {DAMAGED} ({error})") from error
    shape = scores.logits.shape
    fits = len(shape) == 2 and (scores.displacement is None or scores.displacement.shape == shape)
    if not fits or scores.logits.dtype != np.float32 or not 0 < scores.fps < np.inf or not np.isfinite(scores.offset):
        raise UserError(f"{path}: {DAMAGED}")
    return scores
