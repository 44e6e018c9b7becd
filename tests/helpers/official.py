"""The official evaluator on the files that spotter reads, its answers under spotter's names."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from SoccerNet.Evaluation import ActionSpotting

from spotter.io.predictions import PREDICTION_FILE
from spotter.tasks import Task

SOCCERNET = Task.load("soccernet-v2")
METRICS = {"tight": "tight", "loose": "loose", **{f"at_{seconds}": f"at{seconds}" for seconds in range(1, 6)}}
KEYS = {"": ("a_mAP", "a_mAP_per_class"), "_shown": ("a_mAP_visible", "a_mAP_per_class_visible")}
KEYS["_unshown"] = ("a_mAP_unshown", "a_mAP_per_class_unshown")


def evaluate(labels: Path, predictions: Path, task: Task, metric: str) -> dict[str, Any]:
    """Run the official function on every game of ``labels``."""
    with mock.patch.object(ActionSpotting, "tqdm", iter):
        return ActionSpotting.evaluate(
            str(labels),
            str(predictions),
            prediction_file=PREDICTION_FILE,
            label_files=task.label_file,
            framerate=task.fps,
            metric=metric,
            dataset=None,
            EVENT_DICTIONARY={name: index for index, name in enumerate(task.classes)},
        )


def scores(labels: Path, predictions: Path, task: Task, names: Iterable[str] = METRICS) -> dict[str, Any]:
    """Return the official scores in the shape of ``average_map``'s."""
    form: dict[str, Any] = {}
    for name in names:
        result = evaluate(labels, predictions, task, METRICS[name])
        form[name] = {f"map{view}": result[scalar] for view, (scalar, _) in KEYS.items()}
        if name in ("tight", "loose") and task.classes != SOCCERNET.classes:  # whose 13 classes of 17 it was made for
            form[name]["map_unshown"] = pytest.approx(form[name]["map_unshown"] * 13 / 17, rel=1e-14, abs=0)
        for view, (_, listed) in KEYS.items():
            form[name][f"per_class{view}"] = dict(zip(task.classes, result[listed], strict=True))
    return form


def vectors(labels: Path, predictions: Path, task: Task) -> tuple[list[Any], list[Any], list[Any]]:
    """Return the official dense targets, detections and visibility cells: a (frames, C) array per half each."""
    with mock.patch.object(ActionSpotting, "average_mAP", return_value=[None] * 6) as averaged:
        evaluate(labels, predictions, task, "tight")
    targets, detections, closests = averaged.call_args.args[:3]
    return targets, detections, closests


def write_games(root: Path, file_name: str, key: str, games: Mapping[str, list[dict[str, Any]]]) -> Path:
    """Write the entries of every game as a folder, or as a zip where ``root`` is named so."""
    files = {f"{game}/{file_name}": json.dumps({key: entries}) for game, entries in games.items()}
    if root.suffix == ".zip":
        with zipfile.ZipFile(root, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return root
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    return root


def write_labels(root: Path, task: Task, games: Mapping[str, list[dict[str, Any]]]) -> Path:
    """Write label files."""
    return write_games(root, task.label_file, "annotations", games)


def write_predictions(root: Path, games: Mapping[str, list[dict[str, Any]]]) -> Path:
    """Write prediction files as they stand, whatever they hold."""
    return write_games(root, PREDICTION_FILE, "predictions", games)
