"""Joint training: the data of other label sets beside that of a run, each with its share of every batch."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from spotter.checks import check_between_zero_and_one, check_keys, is_number
from spotter.data.joint import part_of_epoch
from spotter.data.registry import open_source
from spotter.errors import UserError, plural, shorten
from spotter.io.splits import SCORED
from spotter.training.datamodule import SpottingDataModule
from spotter.training.pseudo import PseudoDataModule
from spotter.types import OWN, PSEUDO, Plain

log = logging.getLogger(__name__)
RESERVED = ("own", PSEUDO, "checkpoints", "predictions", "steps", "tensorboard", "wandb")  # folders of a run
SHARED = ("eval_batch_size", "num_workers", "allow_missing", "max_beyond_end", "check", "seed", "prefetch_factor")
NAME = re.compile(r"[A-Za-z][\w-]{0,99}")


@dataclass(frozen=True)
class LabelSet:
    """Describe the data of another label set, which is read as that of the data set beside which it is learned.

    task, root, labels, splits : as of a data set
    share : fraction of the clips of a batch
    """

    task: str | Plain
    root: str | None = None
    labels: str | None = None
    splits: Mapping[str, str | Sequence[str] | None] | None = None
    share: float = 0.5

    @classmethod
    def load(cls, name: str, content: Plain) -> Self:
        """Load from plain values; raises UserError for a wrong name, an unknown or missing key or a wrong share."""
        if not isinstance(content, Mapping):
            raise UserError(f"data.joint.{shorten(name)}: expected keys as task and root, found {shorten(content)}")
        if not NAME.fullmatch(name) or name in RESERVED:
            raise UserError(
                f"data.joint: {shorten(name)} cannot be the name of a label set; begin with a letter, "
                f"and leave out {', '.join(RESERVED)}"
            )
        check_keys(f"data.joint.{name}", content, [field.name for field in fields(cls)])
        if not content.get("task"):
            raise UserError(f"data.joint.{name}.task: give the task whose labels are learned, too")
        check_between_zero_and_one(f"data.joint.{name}.share", content.get("share", cls.share))
        return cls(**content)


def join(
    data: SpottingDataModule,
    joint: Mapping[str, Plain] | None = None,
    pseudo: str | None = None,
    pseudo_share: float = 0.5,
    pseudo_weight: float = 1.0,
) -> None:
    """Let other labels be learned beside those of ``data``, read as that is.

    joint : label sets by name, see ``LabelSet``
    pseudo : predictions that label further games, see ``PseudoDataModule``
    pseudo_share, pseudo_weight : their share of the clips of a batch, and what their loss counts against that of others

    Raises UserError where their shares leave no clip of a batch to ``data``, and for clips that are not drawn, but cut.
    """
    for name, settings in (joint or {}).items():
        each = LabelSet.load(name, settings)
        source = open_source(data.source.spec, each.root, each.labels)
        shared = {**settings_beside(data, each.share), "root": each.root, "labels": each.labels}
        data.others[name] = SpottingDataModule(each.task, source, splits=each.splits, **shared)
    if pseudo:
        for key, value in (("pseudo_share", pseudo_share), ("pseudo_weight", pseudo_weight)):
            if not is_number(value) or not 0 < value <= 1:
                raise UserError(f"data.{key}: expected a number above 0, of at most 1, found {shorten(value)}")
        data.others[PSEUDO] = PseudoDataModule(pseudo, data, **settings_beside(data, pseudo_share))
        data.others[PSEUDO].weight = pseudo_weight
    own = data.batch_size - sum(other.batch_size for other in data.others.values())
    if own < 1:
        raise UserError(
            f"data.joint, data.pseudo: leave the data set itself none of the {data.batch_size} clips of a batch; "
            "lower their shares, or raise data.batch_size"
        )
    if data.others and data.clips.sampling not in ("uniform", "balanced"):
        raise UserError("model.clips.sampling: other labels need clips that are drawn; take uniform or balanced")


def check_spread(data: SpottingDataModule, world: int) -> None:
    """Raise UserError where the clips that another label set has of each batch do not spread evenly over the ranks."""
    for name, other in data.others.items():
        count, size = other.batch_size, data.batch_size
        if count % world and not size % world:
            even = world * max(1, round(count / world))
            remedy = f"give {even / size:g}" if even < size else "raise data.batch_size"
            key = "pseudo_share" if name == PSEUDO else f"joint.{name}.share"
            raise UserError(
                f"data.{key}: its {count} of the {size} clips of a batch do not spread evenly over {world} devices; "
                f"{remedy}, or other trainer.devices"
            )


def warn_of_seen_games(data: SpottingDataModule) -> None:
    """Warn of games that one label set is scored on and another trains on: the network they share has seen them."""
    for name, each in data.sets.items():
        scored = {record.half.game for split in SCORED for record in each.records.get(split, [])}
        for other, its in data.sets.items():
            seen = sorted(scored & {record.half.game for record in its.records["train"]})
            if other != name and seen:
                log.warning(
                    "%s: trains on %s that %s scores, so that those scores are too good; leave them out there: %s",
                    *(_splits_of(other), plural(len(seen), "game"), _splits_of(name), shorten(", ".join(seen))),
                )


def _splits_of(name: str) -> str:
    return {OWN: "data.splits", PSEUDO: "data.pseudo"}.get(name, f"data.joint.{name}.splits")


def settings_beside(data: SpottingDataModule, share: float) -> dict[str, Any]:
    """Return how data with a ``share`` of each batch, at least a clip, are read beside ``data``."""
    count = max(1, round(share * data.batch_size))
    return {
        "clips": part_of_epoch(data.clips, count, data.batch_size).to_dict(),
        "batch_size": count,
        "on_error": "raise" if data.skips is None else "skip",
        **{key: getattr(data, key) for key in SHARED},
    }
