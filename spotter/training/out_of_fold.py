"""Out-of-fold predictions: what each run of a cross-validation says of the games that it was not trained on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from spotter.errors import UserError
from spotter.io.exchange.annotations import find_any_predictions, read_any_predictions
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions

log = logging.getLogger(__name__)


def read_out_of_fold(folder: str | Path, halves: Sequence[Half], task: Task) -> list[HalfPredictions]:
    """Return the predictions of every half, none where its game has not been predicted, which is counted.

    folder : a sweep over ``data.fold``, or a folder of predictions
    Raises UserError where there are none of these games, and for a game that two runs of the sweep have held out.
    """
    games, found, owners = {half.game for half in halves}, dict[Half, HalfPredictions](), dict[str, Path]()
    if not Path(folder).exists():
        raise UserError(f"data.out_of_fold: no {str(folder)!r}; give the folder of a sweep over data.fold")
    for part in sorted(Path(folder).glob("*/predictions/valid")) or [Path(folder)]:
        held_out = [game for game in find_any_predictions(part) if game in games]
        if twice := sorted(owners.keys() & held_out):
            raise UserError(
                f"data.out_of_fold: {owners[twice[0]]} and {part} both predict {twice[0]}; "
                "give one sweep over data.fold"
            )
        owners |= dict.fromkeys(held_out, part)
        found |= read_any_predictions(part, held_out, task)
    if not owners:
        raise UserError(
            f"data.out_of_fold: {folder} has predictions of none of the {len(games)} training games; "
            "give the folder of a sweep over data.fold, as sweep=ball_folds makes one"
        )
    if lacking := games - owners.keys():
        log.info("no predictions of %d of %d training games in data.out_of_fold", len(lacking), len(games))
    return [found.get(half, HalfPredictions.empty()) for half in halves]
