"""The raw scores of several runs on one split: read, checked to be of the same halves, and fused."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spotter.checks import end_apart
from spotter.errors import UserError
from spotter.inference.fuse import fuse
from spotter.io.scores import SCORES_INFO, Scores, ScoresInfo, check_whole, load_scores, load_scores_info
from spotter.types import Half

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class RunScores:
    """Hold the raw scores of one split, and the folder they come from."""

    folder: Path
    info: ScoresInfo
    halves: Mapping[Half, Scores]

    @property
    def sparse(self) -> bool:
        """Return whether more than half of the anchors have the same logit: the run predicts nothing there."""
        logits = next(iter(self.halves.values())).logits
        return bool(np.mean(logits == logits.min()) > 0.5)


def valid_beside(folder: Path) -> Path:
    """Return the folder of the valid scores of the same run as ``folder``; raises UserError where there is none."""
    valid = folder.absolute().parent.parent / "valid" / folder.absolute().name
    if not (valid / SCORES_INFO).is_file():
        raise UserError(
            f"{valid}: no valid scores of {folder}, on which its weight would be learned: predict split=valid with "
            "every run, give such scores by --valid, or give the weights"
        )
    return valid


def load_run(folder: Path) -> RunScores:
    """Read the raw scores in ``folder``; raises UserError where they are damaged, or some are missing."""
    info, halves = load_scores_info(folder), dict(load_scores(folder))
    check_whole(folder, info, halves)
    for half, scores in halves.items():
        if len(scores.logits) == 0 or scores.logits.shape[1] != len(info.task.columns):
            raise UserError(
                f"{folder / half.game / str(half.number)}.npz: does not fit its {SCORES_INFO}; write it again"
            )
    return RunScores(folder, info, halves)


def check_same_halves(runs: Sequence[RunScores]) -> None:
    """Raise UserError unless all are of the same task, split and halves, which begin at the same time."""
    first = runs[0]
    for run in runs[1:]:
        if run.info.task != first.info.task:
            names = run.info.task.name, first.info.task.name
            raise UserError(
                f"{run.folder}: another task ({names[0]}) than {first.folder} ({names[1]}): give scores of one"
            )
        if run.info.split != first.info.split:
            raise UserError(
                f"{run.folder}: of split {run.info.split}, but {first.folder} of {first.info.split}: "
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
        for half, scores in run.halves.items():
            starts = [0.0 if each is None else each.start for each in (scores.period, first.halves[half].period)]
            if starts[0] != starts[1]:
                raise UserError(
                    f"{run.folder}: {half.game}, half {half.number} begins at {starts[0]:g} s of its video, but at "
                    f"{starts[1]:g} s in {first.folder}: predict with the same periods=…"
                )
        _warn_of_ends(first, run)


def _warn_of_ends(first: RunScores, run: RunScores) -> None:
    """Warn of halves that one run has seen much more of: beyond its end, the last scores of the other are repeated."""
    ends = {half: (_end(first.halves[half]), _end(scores)) for half, scores in run.halves.items()}
    apart = [half for half, (one, other) in ends.items() if end_apart(max(one, other), min(one, other))]
    if apart:
        log.warning(
            "%s: %d of %d halves end elsewhere than in %s, first %s, half %d, at %.0f s and not at %.0f s; beyond the "
            "earlier end its last scores count: predict whole halves",
            *(run.folder, len(apart), len(ends), first.folder, *apart[0], *reversed(ends[apart[0]])),
        )


def _end(scores: Scores) -> float:
    return scores.offset + len(scores.logits) / scores.fps


def fuse_runs(
    runs: Sequence[RunScores], weights: Sequence[float], displacement: RunScores | None = None
) -> dict[Half, Scores]:
    """Return the fused scores of all halves, see ``fuse``."""
    return {
        half: fuse([run.halves[half] for run in runs], weights, displacement.halves[half] if displacement else None)
        for half in runs[0].halves
    }
