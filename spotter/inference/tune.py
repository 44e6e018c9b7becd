"""Search for the suppression that scores best on stored raw scores; the metric is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from spotter.inference.decode import Candidates, decay_factors, suppress
from spotter.settings import METHODS, Postprocess
from spotter.types import Half, HalfPredictions, Metrics

WINDOWS = (0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0)
THRESHOLDS = (1e-5, 1e-3, 0.005, 0.01, 0.05)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Pair a suppression with the metrics that it reached."""

    postprocess: Postprocess
    metrics: Metrics


Value = Callable[[Trial], float]


@dataclass(frozen=True, slots=True, eq=False)
class Tuner:
    """Try suppressions on the displaced anchors of all halves, which are made once.

    metric_fps : frames per second of the metric
    evaluate : returns the metrics of predictions
    sides : columns of scores that each class has, see ``Task.sides``
    """

    candidates: Mapping[Half, Candidates]
    metric_fps: int
    evaluate: Callable[[Mapping[Half, HalfPredictions]], Metrics]
    sides: int = 1
    _known: dict[tuple[object, ...], Metrics] = field(default_factory=dict, init=False)

    def search(
        self, current: Postprocess, value: Value, class_values: Callable[[Trial], Sequence[float]] | None = None
    ) -> Iterator[Trial]:
        """Try ``current``; then, for each method, all windows and the higher thresholds of the best one.

        With ``class_values``, which gives the scores of all classes in a trial, a window per class comes last.
        """
        trials = []
        for trial in self._uniform(current, value):
            trials.append(trial)
            yield trial
        if class_values is not None:
            yield self._try(best_per_class(trials, best(trials, value), class_values))

    def trials(self, per_class: bool) -> int:
        """Return how many trials a search takes."""
        return 1 + len(METHODS) * (len(self._windows()) + len(THRESHOLDS) - 1) + per_class

    def _uniform(self, current: Postprocess, value: Value) -> Iterator[Trial]:
        yield self._try(current)
        for method in METHODS:
            trials = []
            for window in self._windows():
                trials.append(self._try(Postprocess(method, window, THRESHOLDS[0], current.smooth)))
                yield trials[-1]
            yield from self._higher_thresholds(best(trials, value).postprocess)

    def _windows(self) -> list[float]:
        """Return the windows worth trying: one below a cell suppresses nothing."""
        fps = max(half.fps for half in self.candidates.values())
        return [window for window in WINDOWS if window * fps >= 1]

    def _higher_thresholds(self, postprocess: Postprocess) -> Iterator[Trial]:
        """Try the higher thresholds; each only drops some of what the lowest leaves, so suppression runs once."""
        predictions = self._predict(postprocess)
        for threshold in THRESHOLDS[1:]:
            left = {half: spots.take(spots.confidence >= threshold) for half, spots in predictions.items()}
            yield Trial(replace(postprocess, threshold=threshold), self.evaluate(left))

    def _try(self, postprocess: Postprocess) -> Trial:
        """Score a suppression, unless another has done the same to every cell."""
        rates = {candidates.fps for candidates in self.candidates.values()}
        windows = postprocess.window if isinstance(postprocess.window, tuple) else (postprocess.window,)
        decays = tuple(decay_factors(postprocess.method, window * fps).tobytes() for fps in rates for window in windows)
        key = postprocess.threshold, postprocess.smooth, postprocess.method == "peaks", decays
        if key not in self._known:
            self._known[key] = self.evaluate(self._predict(postprocess))
        return Trial(postprocess, self._known[key])

    def _predict(self, postprocess: Postprocess) -> dict[Half, HalfPredictions]:
        """Return the predictions as ``decode`` does but not rounded, which changes no score."""
        return {
            half: suppress(candidates, postprocess, self.metric_fps, self.sides)
            for half, candidates in self.candidates.items()
        }


def best(trials: Sequence[Trial], value: Value) -> Trial:
    """Return the best trial; of equals the one with the highest threshold, which writes the fewest predictions."""
    return max(trials, key=lambda trial: (value(trial), trial.postprocess.threshold))


def best_per_class(trials: Sequence[Trial], start: Trial, values: Callable[[Trial], Sequence[float]]) -> Postprocess:
    """Return ``start`` with the best window for each class, its own where no other is better.

    trials : those of the same method count
    values : the scores of all classes in a trial
    """
    alike = [start, *(trial for trial in trials if trial.postprocess.method == start.postprocess.method)]
    classes = len(values(start))
    best_rows = np.argmax([values(trial) for trial in alike], axis=0)  # the first of equals
    windows = tuple(alike[row].postprocess.windows(classes)[column] for column, row in enumerate(best_rows))
    return replace(start.postprocess, window=windows)
