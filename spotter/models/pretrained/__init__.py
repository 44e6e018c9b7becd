"""Networks that others released, as PyTorch modules with the inputs and outputs of their codebase."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from spotter.errors import UserError
from spotter.models.pretrained import e2e_spot, soccernet_pooling

KINDS: dict[str, Callable[..., nn.Module]] = {
    "e2e-spot": e2e_spot.load,
    "sn-pooling": soccernet_pooling.load,
    "netvladpp": soccernet_pooling.load,
}


def load_published(path: str | Path, kind: str, **options: Any) -> nn.Module:
    """Return a released network in eval mode; nothing in the file is executed.

    kind : the codebase:
        ``e2e-spot``, a ``checkpoint_*.pt`` with its ``config.json`` beside it, or their folder: then of the highest
        epoch. Maps normalised clips (B, T, 3, H, W), T up to the clip length, to logits (B, T, 1 + K). Option
        ``clip_len``, frames, for checkpoints that lost their ``config.json``
        ``sn-pooling`` and ``netvladpp``, a ``model.pth.tar``. Maps windows of features (B, T, D) to probabilities
        (B, 1 + K). Option ``pool``, ``max`` or ``mean``, for files whose pool has no weights

    Classes are in the codebase's order, background first. Raises UserError for another kind, and for a file that is
    missing, damaged, or of another network.
    """
    if kind not in KINDS:
        raise UserError(f"kind: {kind!r} is unknown: give one of {', '.join(KINDS)}")
    return KINDS[kind](path, **options)
