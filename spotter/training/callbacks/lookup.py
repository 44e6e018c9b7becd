"""Find a callback among those of a trainer."""

from __future__ import annotations

from typing import TypeVar

import pytorch_lightning as pl

T = TypeVar("T", bound=pl.Callback)


def callback_of(trainer: pl.Trainer, kind: type[T]) -> T | None:
    """Return the trainer's first callback of a kind, None where it has none."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next((each for each in callbacks if isinstance(each, kind)), None)
