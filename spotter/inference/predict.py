"""From stitched outputs to raw scores and predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spotter.data.anticipation import AnticipationSource
from spotter.data.check import warn_of_broken
from spotter.data.excerpt import Excerpt
from spotter.data.periods import period_of
from spotter.data.source import Source
from spotter.errors import UserError
from spotter.inference.background import in_background
from spotter.inference.decode import decode
from spotter.inference.engine import Compute, Outputs, run
from spotter.inference.ranks import broadcast, gather, rank_and_world
from spotter.io.anticipation import OBSERVED, SECONDS
from spotter.io.scores import Scores
from spotter.models.system import System
from spotter.types import Arrays, Half, HalfPredictions, HalfRecord, TargetMaker

MILLISECOND = 0.001  # in which times are told


@dataclass(frozen=True)
class Decoder:
    """Turn the stitched outputs of a half into its predictions.

    source : read them; of an excerpt, only predictions within it are kept, and of clips those after what is observed
    keep : called with the raw scores of each half, to write them
    """

    system: System
    source: Source
    keep: Callable[[Half, Scores], None] | None = None

    def __call__(self, found: tuple[Half, Arrays]) -> tuple[Half, HalfPredictions]:
        """Return the predictions of a half that ``engine.run`` yields, with its name."""
        half, arrays = found
        scores = scores_of(self.system, self.source, half, arrays)
        if self.keep is not None:
            self.keep(half, scores)
        predictions = decode(scores, self.system.postprocess, self.system.task.fps, self.system.task.sides)
        if isinstance(self.source, Excerpt):
            predictions = predictions.between(self.source.start, self.source.end)
        if isinstance(self.source, AnticipationSource):
            predictions = predictions.between(OBSERVED, SECONDS - MILLISECOND)
        return half, predictions


def scores_of(system: System, source: Source, half: Half, arrays: Arrays) -> Scores:
    """Return the scores of a half from its stitched outputs; raises UserError where they are no numbers."""
    if np.isnan(arrays["logits"]).any():
        raise UserError(
            "the network's scores are no numbers, though its input is; compute in trainer.precision=32-true"
        )
    return Scores(
        arrays["logits"], arrays.get("displacement"), system.rate, source.offset(half), period_of(source, half)
    )


def predict_records(
    system: System,
    source: Source,
    records: Sequence[HalfRecord],
    compute: Compute,
    keep: Callable[[Half, Scores], None] | None = None,
    progress: Callable[[float], None] | None = None,
    outputs: Outputs | None = None,
    targets: TargetMaker | None = None,
) -> dict[Half, HalfPredictions]:
    """Return the predictions of the halves that this rank owns; decoding runs in a thread beside the network.

    keep : see ``Decoder``
    outputs : in place of ``system.outputs``
    The others are those of ``engine.run``.
    """
    found = _run(system, source, records, compute, progress, outputs, targets)
    return dict(in_background(Decoder(system, source, keep), found))


def score_records(
    system: System,
    source: Source,
    records: Sequence[HalfRecord],
    compute: Compute,
    progress: Callable[[float], None] | None = None,
) -> dict[Half, Scores]:
    """Return the scores, before suppression, of the halves that this rank owns."""
    found = _run(system, source, records, compute, progress)
    return {half: scores_of(system, source, half, arrays) for half, arrays in found}


def _run(
    system: System,
    source: Source,
    records: Sequence[HalfRecord],
    compute: Compute,
    progress: Callable[[float], None] | None,
    outputs: Outputs | None = None,
    targets: TargetMaker | None = None,
) -> Iterator[tuple[Half, Arrays]]:
    """Yield the stitched outputs of the halves that this rank owns, see ``engine.run``."""
    system.to(compute.device).eval()
    upsample = system.network.upsample
    return run(
        outputs or system.outputs, source, records, system.clips, upsample, compute, targets=targets, progress=progress
    )


def say_broken_rows(system: System, source: Source, records: Sequence[HalfRecord]) -> bool:
    """Warn of feature rows that were not finite, and return whether a rank has seen any.

    All ranks call this when they have run.
    """
    seen = any(broadcast(gather(system.saw_broken_rows())))
    if seen and rank_and_world()[0] == 0:
        warn_of_broken(source, [record.half for record in records])
    return seen


def merge(
    gathered: Sequence[Mapping[Half, HalfPredictions]], records: Sequence[HalfRecord]
) -> dict[Half, HalfPredictions]:
    """Return the predictions of all ranks in the order of ``records``."""
    found = {half: columns for predictions in gathered for half, columns in predictions.items()}
    return {record.half: found[record.half] for record in records if record.half in found}
