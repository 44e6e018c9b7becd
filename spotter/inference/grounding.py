"""Answer replays with a trained system: when the action that each shows happened, with scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np

from spotter.data.replays import Replay, ReplaySource
from spotter.inference.engine import Compute
from spotter.inference.predict import predict_records
from spotter.io.grounding import Answers
from spotter.models.system import System
from spotter.types import HalfPredictions, HalfRecord


def ground(
    system: System,
    source: ReplaySource,
    replays: Sequence[Replay],
    compute: Compute,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Answers]:
    """Return the answers to replays by game; of those of one game the order stays."""
    named = {replay.sequence: replay for replay in replays}
    records = [HalfRecord(sequence, source.length(sequence), None) for sequence in named]
    found = predict_records(system, source, records, compute, progress=progress)
    in_order = sorted(named, key=lambda sequence: named[sequence].half.game)
    answers = {}
    for game, sequences in groupby(in_order, key=lambda sequence: named[sequence].half.game):
        listed = list(sequences)
        moved = [source.first(sequence) / source.fps for sequence in listed]
        answers[game] = _join([named[sequence] for sequence in listed], [found[each] for each in listed], moved)
    return answers


def _join(replays: Sequence[Replay], found: Sequence[HalfPredictions], moved: Sequence[float]) -> Answers:
    half, start, end = np.array([(each.half.number, each.start, each.end) for each in replays], np.int64).T
    return Answers(
        half,
        start,
        end,
        np.repeat(np.arange(len(found)), [len(each) for each in found]),
        np.concatenate([each.time + shift for each, shift in zip(found, moved, strict=True)]),
        np.concatenate([each.confidence for each in found]),
    )
