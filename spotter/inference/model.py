"""A trained system in Python: load a checkpoint, predict spots, or look at the scores behind them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np
import torch
from numpy.typing import NDArray

from spotter.data.features import RowMaker
from spotter.inference.engine import Compute, pick_device
from spotter.inference.inputs import Given, Input, open_input
from spotter.inference.periods import Periods
from spotter.inference.precision import fast_precision
from spotter.inference.predict import merge, predict_records, say_broken_rows, score_records
from spotter.inference.ranks import broadcast, gather, rank_and_world
from spotter.io.checkpoints import choose_label_set, open_checkpoint
from spotter.io.periods import Moment
from spotter.io.run_folders import find_checkpoint
from spotter.io.scores import Scores
from spotter.models.system import System
from spotter.predictions import Predictions
from spotter.progress import ProgressDisplay, visible_log
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.trust import import_trusted
from spotter.types import Half, Plain

BATCH = {"features": 64, "video": 1}  # clips at once


@dataclass(frozen=True, eq=False)
class HalfScores:
    """Hold what a model makes of one half before suppression: T anchors in time, K classes.

    half : game and number
    times : (T,) seconds from the start of the half
    classes : K names
    confidences : (T, K) from 0 to 1
    displacements : (T, K) seconds from the anchor to its spot; None for a model that has none
    """

    half: Half
    times: NDArray[np.float64]
    classes: tuple[str, ...]
    confidences: NDArray[np.float64]
    displacements: NDArray[np.float64] | None


class Model:
    """Predict with a trained system, on one device; ``spotter.load`` makes one.

    system : network, head, task and how scores become spots
    compute : where and how the network runs
    makers : what makes the features of each stream of a video, where the network reads features and videos are given

    Under torch.distributed all ranks have to call the same methods; they share the work, and each gets the result.
    """

    def __init__(self, system: System, compute: Compute, makers: Mapping[str, RowMaker] | None = None) -> None:
        self.system, self.compute, self.makers = system, compute, makers

    def __repr__(self) -> str:
        system = self.system
        reads = f"{system.spec.kind} at {system.spec.fps:g} fps"
        return f"<Model of {self.task.name}: {type(system.network).__name__}, {reads}, on {self.compute.device}>"

    @property
    def task(self) -> Task:
        """Return what is spotted."""
        return self.system.task

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes."""
        return self.task.classes

    @property
    def fps(self) -> float:
        """Return the frames per second that the network reads: rows of features, or images."""
        return self.system.spec.fps

    def predict(
        self,
        input: Given,
        fps: float | str | None = None,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        periods: Periods | None = None,
        game: str | None = None,
        threshold: float | None = None,
        postprocess: Postprocess | Plain | None = None,
        flip: bool | None = None,
        progress: bool = True,
    ) -> Predictions:
        """Return the spots of one or several halves.

        input : a video or ``.npy`` file, several, a folder of them, or a feature array (T, D), or one for each half.
            A model of several feature streams takes a folder with a file for each stream.
        fps : rows per second of an array, the model's own; not for files
        start, end : part of each half, in seconds or as "mm:ss"; times stay those of the whole half
        periods : where the halves of a match lie in one file: the times at which they start, or start and end, as
            ``["1:01-47:30", "1:03:10-1:51:00"]`` or pairs of seconds; ``"silence"``, to find them by the sound of a
            video; or a file that tells, as OSL JSON with intervals. What lies between them is not predicted
        game : the match that several files are the halves of, by their numbers (``1_…``) or their order
        threshold : confidence below which spots are left out, 0 … 1; None for the checkpoint's
        postprocess : suppression, for example ``{"method": "nms", "window": 2.0}``, in seconds; None for the
            checkpoint's
        flip : see the images of a video mirrored, too, and average, for twice the time; None for the checkpoint's
        progress : show a bar on a terminal and in a notebook, lines in a log

        Raises UserError for input that cannot be read or does not fit the model, and for wrong settings.
        """
        system = replace(self._system(flip), postprocess=self._postprocess(postprocess, threshold))
        given = open_input(system.spec, input, fps, start, end, self.makers, periods, game)
        with self._watch(given, progress) as update:
            mine = predict_records(system, given.source, given.records, self._loading(), progress=update)
            say_broken_rows(system, given.source, given.records)
        return Predictions(broadcast(merge(gather(mine), given.records)), self.task)

    def scores(
        self,
        input: Given,
        fps: float | str | None = None,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        periods: Periods | None = None,
        game: str | None = None,
        flip: bool | None = None,
        progress: bool = True,
    ) -> HalfScores | dict[Half, HalfScores]:
        """Return the scores before suppression: of one half as ``HalfScores``, of several as a mapping by half.

        The arguments, and the errors, are those of ``predict``.
        """
        system = self._system(flip)
        given = open_input(system.spec, input, fps, start, end, self.makers, periods, game)
        with self._watch(given, progress) as update:
            mine = score_records(system, given.source, given.records, self._loading(), update)
            say_broken_rows(system, given.source, given.records)
        found = broadcast({half: scores for each in gather(mine) for half, scores in each.items()})
        halves = {record.half: self._half_scores(record.half, found[record.half]) for record in given.records}
        return next(iter(halves.values())) if len(halves) == 1 else halves

    def _half_scores(self, half: Half, scores: Scores) -> HalfScores:
        times = scores.offset + np.arange(len(scores.logits)) / scores.fps
        with np.errstate(over="ignore"):  # exp(-logit) may be infinite: the confidence is 0 then
            confidences = 1 / (1 + np.exp(-scores.logits.astype(np.float64)))
        displacements = None if scores.displacement is None else scores.displacement / np.float64(scores.fps)
        return HalfScores(half, times, self.task.columns, confidences, displacements)

    def _system(self, flip: bool | None) -> System:
        """Return the system as it is, or told whether to see mirrored images, too."""
        return self.system if flip is None else replace(self.system, clips=replace(self.system.clips, flip=flip))

    def _postprocess(self, postprocess: Postprocess | Plain | None, threshold: float | None) -> Postprocess:
        chosen = self.system.postprocess if postprocess is None else postprocess
        content: Plain = chosen.to_dict() if isinstance(chosen, Postprocess) else chosen
        if threshold is not None and isinstance(content, Mapping):
            content = {**content, "threshold": threshold}
        return Postprocess.load(content, len(self.classes))

    def _loading(self) -> Compute:
        """Return how the network runs, with a process that reads ahead where a video is decoded."""
        video = self.system.spec.kind == "video"
        forks = multiprocessing.get_start_method() == "fork"  # others would run an unguarded script again
        return replace(self.compute, num_workers=1 if video and forks else 0)

    @contextmanager
    def _watch(self, given: Input, shown: bool) -> Iterator[Callable[[float], None]]:
        frames = sum(record.frames for record in given.records)
        shown = shown and rank_and_world()[0] == 0
        with visible_log() if shown else nullcontext(), ProgressDisplay(frames, "frames", shown=shown) as watch:
            yield watch.update


def load_model(
    path: str | PathLike[str],
    device: str | torch.device | None = None,
    precision: str | int | None = None,
    trust: str | Sequence[str] = (),
    label_set: str | None = None,
) -> Model:
    """Load a trained model for prediction, without extractors; see ``spotter.load``."""
    file = find_checkpoint(path)
    where = pick_device(device)
    content = choose_label_set(open_checkpoint(file), label_set)
    system = System.load(content, import_trusted(trust))
    compute = Compute(where, fast_precision(where) if precision is None else str(precision), BATCH[system.spec.kind])
    return Model(system.fused().to(where), compute)
