"""Pseudo-labels: what a trained system predicts with confidence in games that nobody has labelled."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spotter.data.games import find_halves
from spotter.data.periods import PeriodSource
from spotter.errors import UserError, plural
from spotter.evaluation.evaluate import load_evaluation
from spotter.evaluation.f1 import f1_scores
from spotter.io.exchange.annotations import find_any_predictions, read_any_predictions
from spotter.io.splits import LABELLED, SPLITS
from spotter.tasks import Task
from spotter.training.datamodule import SpottingDataModule
from spotter.types import Half, HalfPredictions, HalfRecord, Period, Spots

log = logging.getLogger(__name__)
NEVER = 2.0  # a confidence that nothing reaches


class PseudoLabels:
    """Read predictions as labels, those that reach the threshold of their class; an ``AnnotationFormat``.

    folder : holds them, whatever the root of the input
    thresholds : least confidence of each class, by its name
    """

    def __init__(self, folder: Path, thresholds: Mapping[str, float]) -> None:
        self._folder, self._thresholds = folder, thresholds

    def games(self, root: str | Path, task: Task) -> list[str]:
        """Return the games that have predictions."""
        return find_any_predictions(self._folder)

    def missing(self, root: str | Path, games: Iterable[str], task: Task) -> dict[str, Path]:
        """Return those that have none."""
        known = set(self.games(root, task))
        return {game: self._folder for game in games if game not in known}

    def read(self, root: str | Path, games: Iterable[str], task: Task) -> dict[Half, Spots]:
        """Return what is confident enough of every half."""
        least = np.array([self._thresholds[name] for name in task.classes])
        found = read_any_predictions(self._folder, games, task)
        return {half: _spots(rows.take(rows.confidence >= least[rows.label]), task) for half, rows in found.items()}

    def write(self, root: str | Path, labels: Mapping[Half, Spots], task: Task) -> None:
        """Raise UserError, for they are only read."""
        raise UserError(f"{root}: pseudo-labels are predictions; spotter predict writes them")


class PseudoDataModule(SpottingDataModule):
    """Serve clips of games that have predictions and belong to no labelled split.

    predictions : a folder of them, or a run that has predicted split challenge; ``valid`` beside it holds those of the
        same system on the validation split, by which thresholds are chosen
    beside : the labelled data of the run
    """

    def __init__(self, predictions: str, beside: SpottingDataModule, **settings: Any) -> None:
        super().__init__(beside.task.to_dict(), beside.source, root=beside.root, **settings)
        given, self._beside = Path(predictions), beside
        if not given.exists():
            raise UserError(f"data.pseudo: no {predictions!r}; give predictions, or a run that predicted challenge")
        self._predictions = given / "predictions" / "challenge" if (given / "predictions").is_dir() else given

    def setup(self, stage: str) -> None:
        """Read halves that lie in one file, by the predictions or by the labels of the run, as parts of it."""
        if stage == "fit" and not self.records and (parts := self._parts()):
            self.source = PeriodSource(self.source, parts)
        super().setup(stage)

    def _parts(self) -> dict[Half, tuple[Half, Period]]:
        beside = self._beside
        known = beside.annotations.parts(beside.root or "", self.task) if beside.annotations else {}
        found = read_any_predictions(self._predictions, self._load_splits()["train"], self.task)
        placed = {half: (Half(half.game, 1), rows.period) for half, rows in found.items() if rows.period is not None}
        return placed | known

    def _load_splits(self) -> dict[str, list[str]]:
        labelled = self._beside._load_splits()
        known = {game for split in LABELLED for game in labelled[split]}
        games = find_any_predictions(self._predictions)
        others = [game for game in games if game not in known]
        if not others:
            raise UserError(f"data.pseudo: {self._predictions} has no game beyond those of the labelled splits")
        if len(others) < len(games):
            log.info("data.pseudo: %s left out, being of labelled splits", plural(len(games) - len(others), "game"))
        return {split: [] for split in SPLITS} | {"train": others}

    def _find(self, split: str, games: list[str], labels: str = "required") -> list[HalfRecord]:
        beside, valid = self._beside, self._predictions.absolute().parent / "valid"
        labelled = beside.annotations.path if beside.annotations else beside.root
        annotations = PseudoLabels(self._predictions, choose_thresholds(labelled, valid, self.task))
        where = (self.root, "of data.pseudo", games, self.task, self.source, labels, self.allow_missing)
        return find_halves(*where, skip_damaged=self.skips is not None, annotations=annotations)


def choose_thresholds(labels: str | Path | None, predictions: Path, task: Task) -> dict[str, float]:
    """Return the threshold of each class with the best F1, and log what they are worth on games that did not choose.

    A class without labels has a threshold that nothing reaches. Raises UserError where there are no predictions.
    """
    if not predictions.is_dir():
        raise UserError(
            f"data.pseudo: no folder {predictions}, whose predictions of split valid choose the thresholds; "
            "write it: spotter predict ckpt=… split=valid out=…"
        )
    found = load_evaluation(labels, [predictions], task=task, games_of_predictions=True)
    best: dict[str, Any] = f1_scores(found.labels, found.predictions[0], task)["best"]
    if best["held_out"] is not None:
        log.info("pseudo-labels: F1 %.2f by thresholds that other games chose", 100 * best["held_out"]["micro"])
    if best["unstable"]:
        log.warning("pseudo-labels: too few labels to choose a threshold for: %s", ", ".join(best["unstable"]))
    known = {name for name, row in best["per_class"].items() if row is not None}
    return {name: value if name in known else NEVER for name, value in best["thresholds"].items()}


def _spots(rows: HalfPredictions, task: Task) -> Spots:
    order = np.argsort(rows.time, kind="stable")
    rows = rows.take(order)
    team = None
    if rows.team is not None:
        team = np.array([*task.teams, ""])[rows.team]  # -1 is the last, unknown
    return Spots(rows.label, rows.time, np.ones(len(rows), bool), team)
