"""The raw scores that several runs left of one split: found, read, checked to be of the same halves, and fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spotter.errors import UserError
from spotter.inference.fuse import fuse
from spotter.io.scores import HEADER, Header, Scores, load_header, load_scores
from spotter.types import Half


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Hold the raw scores of one split, and where they were read."""

    folder: Path
    header: Header
    halves: Mapping[Half, Scores]

    @property
    def sparse(self) -> bool:
        """Say whether most anchors have one and the same logit: the run says nothing of them."""
        logits = next(iter(self.halves.values())).logits
        return bool(np.mean(logits == logits.min()) > 0.5)


def valid_beside(folder: Path) -> Path:
    """Return where a run keeps the valid scores that belong to those in ``folder``; raises UserError without such."""
    place = folder.absolute().parent.parent / "valid" / folder.absolute().name
    if not (place / HEADER).is_file():
        raise UserError(
            f"{place}: no valid scores of {folder} there, on which a weight is learned: predict split=valid with every "
            "run, give --valid with such scores, or give the weights"
        )
    return place


def load_run(folder: Path) -> Run:
    """Read the raw scores in ``folder``; raises UserError where they are damaged."""
    header, halves = load_header(folder), dict(load_scores(folder))
    for half, scores in halves.items():
        if len(scores.logits) == 0 or scores.logits.shape[1] != len(header.task.classes):
            raise UserError(f"{folder / half.game / str(half.number)}.npz: does not fit its {HEADER}; write it anew")
    return Run(folder, header, halves)


def check_alike(runs: Sequence[Run]) -> None:
    """Raise UserError unless all are of the same task, split and halves."""
    first = runs[0]
    for run in runs[1:]:
        if run.header.task != first.header.task:
            names = run.header.task.name, first.header.task.name
            raise UserError(
                f"{run.folder}: another task ({names[0]}) than {first.folder} ({names[1]}): give scores of one"
            )
        if run.header.split != first.header.split:
            raise UserError(
                f"{run.folder}: of split {run.header.split}, but {first.folder} of {first.header.split}: "
                "give scores of one split"
            )
        for some, others in ((first, run), (run, first)):
            lacking = sorted(set(some.halves) - set(others.halves))
            if lacking:
                game, number = lacking[0]
                raise UserError(
                    f"{others.folder}: lacks {game}, half {number}, which {some.folder} has: "
                    "predict the same games with every run"
                )


def fuse_runs(runs: Sequence[Run], weights: Sequence[float], displacement: Run | None = None) -> dict[Half, Scores]:
    """Return the fused scores of all halves, see ``fuse``."""
    return {
        half: fuse([run.halves[half] for run in runs], weights, displacement.halves[half] if displacement else None)
        for half in runs[0].halves
    }
