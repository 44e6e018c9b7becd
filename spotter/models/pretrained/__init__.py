"""Networks that others released: as PyTorch modules of their codebase, or converted to checkpoints of spotter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spotter.errors import UserError
from spotter.models.pretrained.options import ImportOptions
from spotter.types import Plain

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Codebase:
    """Hold what spotter can do with the checkpoints of one codebase."""

    load: Callable[[str | Path, ImportOptions], nn.Module]
    convert: Callable[[str | Path, str | Path, ImportOptions], Plain]


def _e2e_spot() -> Codebase:
    from spotter.models.pretrained.convert_e2e_spot import convert_e2e_spot
    from spotter.models.pretrained.e2e_spot import load_e2e_spot

    return Codebase(load_e2e_spot, convert_e2e_spot)


def _pooling(codebase: str) -> Codebase:
    from spotter.models.pretrained.convert_pooling import convert_pooling
    from spotter.models.pretrained.pooling import load_pooling

    return Codebase(load_pooling, partial(convert_pooling, codebase=codebase))


def _grounding() -> Codebase:
    from spotter.models.pretrained.grounding import convert_grounding, load_grounding

    return Codebase(load_grounding, convert_grounding)


KINDS: dict[str, Callable[[], Codebase]] = {  # each imports what it needs when it is called: torch takes seconds
    "e2e-spot": _e2e_spot,
    "sn-pooling": partial(_pooling, "sn-pooling"),
    "netvladpp": partial(_pooling, "netvladpp"),
    "sn-grounding": _grounding,
}


def load_published(path: str | Path, kind: str, *, clip_len: int | None = None, pool: str | None = None) -> nn.Module:
    """Return a released network in eval mode, with the inputs and outputs of its codebase; nothing in it is executed.

    kind : the codebase:
        ``e2e-spot``, a ``checkpoint_*.pt`` with its ``config.json`` beside it, or their folder: then of the highest
        epoch. Maps normalised clips (B, T, 3, H, W), T up to the clip length, to logits (B, T, 1 + K)
        ``sn-pooling`` and ``netvladpp``, a ``model.pth.tar``. Maps windows of features (B, T, D) to probabilities
        (B, 1 + K)
        ``sn-grounding``, a ``model.pth.tar`` of CALF. Maps clips and repeated replays, (B, 240, 512) each, to the
        segmentation (B, 240) and to confidence and time, a fraction of the clip, (B, 2)
    clip_len : frames, of ``e2e-spot`` alone, for checkpoints that lost their ``config.json``
    pool : ``max`` or ``mean``, of pooling baselines alone, for files whose pool has no weights

    Classes are in the codebase's order, background first. Raises UserError for another kind, and for a file that is
    missing, damaged, or of another network.
    """
    return _codebase(kind).load(path, ImportOptions(clip_len=clip_len, pool=pool))


def convert_published(path: str | Path, out: str | Path, kind: str, options: ImportOptions | None = None) -> Plain:
    """Write a released network as the spotter checkpoint ``out``, and return its settings.

    kind : see ``load_published``
    options : what the file lacks

    Raises UserError for what cannot be converted, and where the file's classes are not those of the task.
    """
    return _codebase(kind).convert(path, out, options or ImportOptions())


def _codebase(kind: str) -> Codebase:
    if kind not in KINDS:
        raise UserError(f"kind: {kind!r} is unknown: give one of {', '.join(KINDS)}")
    return KINDS[kind]()
