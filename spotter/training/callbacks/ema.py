"""An exponential moving average of the weights that also suits short runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from spotter.errors import UserError


class Ema(pl.Callback):
    """Validate and keep averaged weights; the average forgets faster while it is young.

    It lies on the device of the weights, and no step waits for it. A checkpoint holds it as its ``state_dict``, what is
    trained as ``current_model_state``, and the count of averaged steps as ``averaging_state``, as Lightning has them.

    decay : its limit; after n steps it is at most (1 + n) / (10 + n), so that a short run is not stuck at its start
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise UserError(f"callbacks.ema.decay must lie within 0 … 1, found {decay}")
        self.decay = decay
        self.average: dict[str, Tensor] = {}  # by the names of the module's state dict, empty outside of a fit
        self._current: dict[str, Tensor] = {}  # the module's own tensors
        self._steps, self._last_step = 0, 0
        self._loaded: Mapping[str, Tensor] | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Copy the weights, which lie on their device by now, or take up the average of an earlier part of the run."""
        self._current = dict(pl_module.state_dict())
        self.average = {name: tensor.clone() for name, tensor in self._current.items()}
        for name, tensor in (self._loaded or {}).items():
            self.average[name].copy_(tensor)
        self._loaded = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Average after every step of the optimizer."""
        if trainer.global_step > self._last_step:
            self._last_step = trainer.global_step
            self.update()

    @torch.no_grad()
    def update(self) -> None:
        """Take the current weights into the average; whole numbers and the first weights are copied."""
        kept = min(self.decay, (1 + self._steps) / (10 + self._steps))
        floats = [name for name, tensor in self._current.items() if tensor.is_floating_point() and self._steps]
        others = [name for name in self._current if name not in floats]
        if floats:
            torch._foreach_lerp_(*self._pairs(floats), 1 - kept)
        if others:
            torch._foreach_copy_(*self._pairs(others))
        self._steps += 1

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the average in place of the weights."""
        self._swap()

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the weights back."""
        self._swap()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the average in the module."""
        self._swap()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let go of the average, which is in the module now."""
        self.average, self._current = {}, {}

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run goes on with, beside what ``on_save_checkpoint`` adds."""
        return {"latest_update_step": self._last_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the earlier state."""
        self._last_step = state_dict["latest_update_step"]

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Make the average the checkpoint's ``state_dict``; after the fit it already is."""
        if self.average:
            checkpoint["current_model_state"] = checkpoint["state_dict"]
            checkpoint["state_dict"] = dict(self.average)
            checkpoint["averaging_state"] = {"n_averaged": torch.tensor(self._steps)}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take up what is trained; the average, which Lightning has just loaded in its place, is kept for the fit.

        A checkpoint without an average begins one from its weights.
        """
        if "current_model_state" in checkpoint:
            self._loaded = checkpoint["state_dict"]
            self._steps = int(checkpoint["averaging_state"]["n_averaged"])
            pl_module.load_state_dict(checkpoint["current_model_state"])

    @torch.no_grad()
    def _swap(self) -> None:
        if self.average:
            averaged, current = self._pairs(self._current)
            before = [tensor.clone() for tensor in current]
            torch._foreach_copy_(current, averaged)
            torch._foreach_copy_(averaged, before)

    def _pairs(self, names: Iterable[str]) -> tuple[list[Tensor], list[Tensor]]:
        return [self.average[name] for name in names], [self._current[name] for name in names]
