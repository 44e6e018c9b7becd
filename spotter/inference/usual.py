"""Expect after clips what usually comes, without a network: whatever was seen, or by the last action that was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.inference.decode import decode
from spotter.io.anticipation import OBSERVED, SECONDS, WINDOW, ClipOf
from spotter.io.scores import Scores
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

STEPS = 10.0  # a second, in which actions are counted
SMOOTH = 0.3  # seconds, the deviation by which counts are smoothed
PRIOR = 5.0  # clips that say what all do, beside those of one last action
NONE = -1  # the last action where none was seen, or none counts


@dataclass(frozen=True, slots=True, eq=False)
class UsualActions:
    """Hold how often actions happen after clips.

    rates : by the last observed action, ``NONE`` without one: (T, K) actions a second, at each step and of each class
    by_last : whether the last observed action counts
    """

    task: Task
    rates: Mapping[int, NDArray[np.float64]]
    by_last: bool

    @classmethod
    def learn(cls, clips: Mapping[Half, Spots], task: Task, by_last: bool) -> Self:
        """Count in labelled clips, observed actions included; raises UserError where there are none."""
        if not clips:
            raise UserError("split train has no clip to learn from: give its labels")
        steps, last = round(WINDOW * STEPS), {clip: _last(spots, by_last) for clip, spots in clips.items()}
        counts = {group: np.zeros((steps, len(task.classes))) for group in range(NONE, len(task.classes))}
        for clip, spots in clips.items():
            after = spots.take(spots.time >= OBSERVED)
            step = np.minimum(((after.time - OBSERVED) * STEPS).astype(np.int64), steps - 1)
            np.add.at(counts[last[clip]], (step, after.label), 1)
        distance = np.subtract.outer(np.arange(steps), np.arange(steps)) / (SMOOTH * STEPS)
        kernel = np.exp(-0.5 * distance**2)
        kernel *= STEPS / kernel.sum(axis=1, keepdims=True)
        usual = sum(counts.values()) / len(clips)
        seen = [*last.values()]
        rates = {
            group: kernel @ ((count + PRIOR * usual) / (seen.count(group) + PRIOR)) for group, count in counts.items()
        }
        return cls(task, rates, by_last)

    def expect(self, clips: Mapping[Half, Spots], suppressed: float) -> dict[Half, HalfPredictions]:
        """Return the answer to each clip, by its labels of what is observed.

        suppressed : seconds, full width, in which an action is expected once
        """
        answers = {}
        for group, rate in self.rates.items():
            chance = np.clip(-np.expm1(-rate), 1e-6, 1 - 1e-6)  # of at least one action within a second
            scores = Scores(np.log(chance / (1 - chance)).astype(np.float32), None, STEPS, OBSERVED + 0.5 / STEPS)
            answers[group] = decode(scores, Postprocess("nms", suppressed, 1e-5), self.task.fps)
        return {clip: answers[_last(spots, self.by_last)] for clip, spots in clips.items()}


def cut_labels(labels: Mapping[Half, Spots]) -> dict[Half, Spots]:
    """Return the clips of labelled matches, a second apart; what is no longer than a clip is one."""
    clips = {}
    for half, spots in labels.items():
        starts = np.arange(0, spots.time.max(initial=0.0) - SECONDS).astype(np.int64).tolist()
        parts = [ClipOf(half, start) for start in starts]
        clips.update({part.name: part.cut(spots) for part in parts} if parts else {half: spots})
    return clips


def _last(spots: Spots, by_last: bool) -> int:
    """Return the class of the last observed action."""
    seen = np.flatnonzero(spots.time < OBSERVED)
    return int(spots.label[seen[np.argmax(spots.time[seen])]]) if by_last and len(seen) else NONE
