"""Write predictions as the official JSON files and as one zip for the challenge server."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from spotter.io.files import atomic_write
from spotter.io.soccernet import PREDICTION_FILE
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, quantise

METRICS = "metrics.json"
PREDICTION_ZIP = "results_spotting.zip"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: equal predictions give equal bytes


def write_scored(
    out: str | Path, predictions: Mapping[Half, HalfPredictions], task: Task, form: Mapping[str, Any] | None
) -> None:
    """Write predictions as ``write_predictions`` does, and what they score, if known, as ``<out>/metrics.json``.

    Scores of earlier predictions go first, so that they never stand beside others.
    """
    metrics = Path(out, METRICS)
    metrics.unlink(missing_ok=True)
    write_predictions(out, predictions, task)
    if form is not None:
        atomic_write(metrics, orjson.dumps(form, option=orjson.OPT_INDENT_2))


def write_predictions(out: str | Path, predictions: Mapping[Half, HalfPredictions], task: Task) -> None:
    """Write ``<out>/<game>/results_spotting.json`` for every game, and ``<out>/results_spotting.zip``.

    Entries stand in the order of their metric frames and otherwise as in the columns, so that the last of equal
    (class, frame) stays the last and reading the files back gives the same score. Files of games that an earlier
    zip in ``out`` holds and this one does not are taken away.
    """
    archive = io.BytesIO()
    _forget_others(Path(out), {half.game for half in predictions})
    with zipfile.ZipFile(archive, "w") as packed:
        for game, halves in groupby(sorted(predictions), key=lambda half: half.game):
            entries = [entry for half in halves for entry in _entries(half, predictions[half], task)]
            content = orjson.dumps({"UrlLocal": game, "predictions": entries}, option=orjson.OPT_INDENT_2)
            atomic_write(Path(out, game, PREDICTION_FILE), content)
            member = zipfile.ZipInfo(f"{game}/{PREDICTION_FILE}", EPOCH)
            member.external_attr = 0o644 << 16  # else the file comes out unreadable
            packed.writestr(member, content, zipfile.ZIP_DEFLATED)
    atomic_write(Path(out, PREDICTION_ZIP), archive.getvalue())


def _forget_others(out: Path, games: set[str]) -> None:
    """Delete the predictions of games that were written to ``out`` before and are not now."""
    path = out / PREDICTION_ZIP
    if not path.is_file() or not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as earlier:
        for name in earlier.namelist():
            game, _, file = name.rpartition("/")
            if file == PREDICTION_FILE and game not in games and ".." not in game.split("/"):
                (out / game / PREDICTION_FILE).unlink(missing_ok=True)


def _entries(half: Half, predictions: HalfPredictions, task: Task) -> list[dict[str, Any]]:
    order = np.argsort(quantise(predictions.time, task.fps), kind="stable")
    milliseconds = np.rint(1000 * predictions.time[order]).astype(np.int64).tolist()
    columns = (predictions.label[order].tolist(), milliseconds, predictions.confidence[order].tolist())
    return [
        {
            "gameTime": f"{half.number} - {max(position, 0) // 60000:02d}:{max(position, 0) // 1000 % 60:02d}",
            "label": task.classes[label],
            "position": str(position),
            "half": str(half.number),
            "confidence": repr(confidence),
        }
        for label, position, confidence in zip(*columns, strict=True)
    ]
