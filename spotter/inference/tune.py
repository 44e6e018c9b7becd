"""Search for the suppression that scores best on stored scores; the metric is handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spotter.inference.decode import Grid, suppress
from spotter.settings import METHODS, Postprocess
from spotter.types import Half, HalfPredictions

WINDOWS = (0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0)
THRESHOLDS = (1e-5, 1e-3, 0.005, 0.01, 0.05)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Pair a suppression with the form of scores that it reached."""

    postprocess: Postprocess
    form: Mapping[str, Any]


Value = Callable[[Trial], float]


@dataclass(frozen=True, slots=True, eq=False)
class Tuner:
    """Try suppressions on the displaced anchors of all halves, which are made once.

    metric_fps : frames per second of the metric
    evaluate : turns predictions into a form of scores
    """

    grids: Mapping[Half, Grid]
    metric_fps: int
    evaluate: Callable[[Mapping[Half, HalfPredictions]], Mapping[str, Any]]

    def search(
        self, written: Postprocess, value: Value, class_values: Callable[[Trial], Sequence[float]] | None = None
    ) -> Iterator[Trial]:
        """Try ``written``; then, for each method, all windows and the higher thresholds of the best one.

        With ``class_values``, which gives the scores of all classes in a trial, a window per class comes last.
        """
        trials = []
        for trial in self._uniform(written, value):
            trials.append(trial)
            yield trial
        if class_values is not None:
            yield self._try(best_per_class(trials, best(trials, value), class_values))

    def trials(self, per_class: bool) -> int:
        """Return how many trials a search takes."""
        return 1 + len(METHODS) * (len(self._windows()) + len(THRESHOLDS) - 1) + per_class

    def _uniform(self, written: Postprocess, value: Value) -> Iterator[Trial]:
        yield self._try(written)
        for method in METHODS:
            trials = []
            for window in self._windows():
                trials.append(self._try(Postprocess(method, window, THRESHOLDS[0])))
                yield trials[-1]
            yield from self._cut(best(trials, value).postprocess)

    def _windows(self) -> list[float]:
        """Return the windows worth trying: one below a cell suppresses nothing."""
        fps = max(grid.fps for grid in self.grids.values())
        return [window for window in WINDOWS if window * fps >= 1]

    def _cut(self, postprocess: Postprocess) -> Iterator[Trial]:
        """Try the higher thresholds; each only cuts off what the lowest leaves, so suppression runs once."""
        predictions = self._predict(postprocess)
        for threshold in THRESHOLDS[1:]:
            left = {half: _above(rows, threshold) for half, rows in predictions.items()}
            yield Trial(replace(postprocess, threshold=threshold), self.evaluate(left))

    def _try(self, postprocess: Postprocess) -> Trial:
        return Trial(postprocess, self.evaluate(self._predict(postprocess)))

    def _predict(self, postprocess: Postprocess) -> dict[Half, HalfPredictions]:
        return {half: suppress(grid, postprocess, self.metric_fps) for half, grid in self.grids.items()}


def best(trials: Sequence[Trial], value: Value) -> Trial:
    """Return the best trial; of equals the one with the highest threshold, which writes the fewest predictions."""
    return max(trials, key=lambda trial: (value(trial), trial.postprocess.threshold))


def best_per_class(trials: Sequence[Trial], start: Trial, values: Callable[[Trial], Sequence[float]]) -> Postprocess:
    """Return ``start`` with the best window for each class, its own where no other is better.

    trials : those of the same method count
    values : the scores of all classes in a trial
    """
    rivals = [start, *(trial for trial in trials if trial.postprocess.method == start.postprocess.method)]
    classes = len(values(start))
    chosen = np.argmax([values(trial) for trial in rivals], axis=0)  # the first of equals
    windows = tuple(rivals[row].postprocess.windows(classes)[column] for column, row in enumerate(chosen))
    return replace(start.postprocess, window=windows)


def _above(rows: HalfPredictions, threshold: float) -> HalfPredictions:
    kept = rows.confidence >= threshold
    return HalfPredictions(rows.label[kept], rows.time[kept], rows.confidence[kept])
