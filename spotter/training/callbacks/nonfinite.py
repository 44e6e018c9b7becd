"""Training steps whose loss or gradient is not finite: they end the run, or are left out."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from spotter.checks import check_choice
from spotter.data.check import broken_rows, find_broken
from spotter.errors import UserError
from spotter.inference.engine import HostCopy
from spotter.inference.ranks import any_rank, broadcast, gather
from spotter.io.checkpoints import not_finite
from spotter.training.datamodule import data_of
from spotter.types import Batch, Clip

log = logging.getLogger(__name__)
CHOICES = ("stop", "skip")
LAG = 2  # steps after which the host looks at what a GPU has found, so that it need not wait for it


@dataclass(frozen=True, slots=True)
class _Step:
    """Hold what is known of a step whose outcome the host has not looked at yet."""

    epoch: int
    batch: int
    clips: tuple[Clip, ...]
    rates: tuple[float, ...]
    outcome: HostCopy


class NonFinite(pl.Callback):
    """Look at every loss and gradient on its device; the host sees the outcome a few steps later, without waiting.

    A checkpoint is written only when all steps before it are looked at, and when its weights are finite.

    on_nonfinite : ``stop`` ends the run at the first step that is not finite; ``skip`` takes its gradient for zero,
        whatever has become of batch statistics is undone, and such steps are counted
    """

    def __init__(self, on_nonfinite: str = "stop") -> None:
        check_choice("trainer.on_nonfinite", on_nonfinite, CHOICES)
        self.skips, self.skipped = on_nonfinite == "skip", 0
        self._loss: Tensor | None = None  # the sum of the losses since the last step of the optimizer
        self._clips: tuple[Clip, ...] = ()
        self._waiting: deque[_Step] = deque()
        self._buffers: list[tuple[Tensor, Tensor]] = []  # each with its value before the step
        self._said, self._skipped_now = False, 0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Remember the clips, and the buffers in case the step is skipped."""
        if isinstance(batch, Mapping):  # of a module of another kind nothing is known
            self._clips += tuple(map(Clip, batch["half"].tolist(), batch["start"].tolist()))
        if self.skips and not self._buffers:
            self._buffers = [(b, b.clone()) for b in pl_module.buffers() if b.is_floating_point()]

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Add the loss of a batch."""
        self._loss = loss.detach() if self._loss is None else self._loss + loss.detach()

    @torch.no_grad()
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Look at loss and gradient; where they are not finite and steps are skipped, take the gradient away."""
        weights = [p for p in pl_module.parameters() if p.grad is not None]
        gradients = [p.grad for p in weights if p.grad is not None]
        if self._loss is None or not gradients:
            return
        scaled = trainer.precision == "16-mixed"  # whose scaler leaves out steps of infinite gradients itself
        sound = self._loss.float() if scaled else self._loss.float() + torch.nn.utils.get_total_norm(gradients)
        bad = any_rank(~sound.isfinite())
        self._loss = None
        if self.skips:
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = torch.where(bad, torch.zeros_like(gradient), gradient)
            for buffer, before in self._buffers:
                buffer.copy_(torch.where(bad, before, buffer))
        rates = tuple(float(group["lr"]) for group in optimizer.param_groups)
        step = _Step(trainer.current_epoch, trainer.fit_loop.batch_idx, self._clips, rates, HostCopy({"bad": bad}))
        self._waiting.append(step)
        self._look(trainer, 0 if bad.device.type == "cpu" else LAG)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Forget the clips of a step that is over."""
        if self._loss is None:
            self._clips, self._buffers = (), []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at all steps of the epoch, and say how many were skipped."""
        self._look(trainer, 0)
        if self._skipped_now:
            log.warning("%d steps were skipped in this epoch, %d in all", self._skipped_now, self.skipped)
        self._skipped_now = 0

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Look at all steps before; raises UserError where a weight is not finite, so that nothing is written."""
        self._look(trainer, 0)
        for part in ("state_dict", "current_model_state"):
            name = next(not_finite(checkpoint.get(part, {})), None)
            if name is not None:
                raise UserError(
                    f"epoch {trainer.current_epoch + 1}: the weights {name} are not finite, and no checkpoint is "
                    f"written; go on from the one before with a lower model.lr"
                )

    def state_dict(self) -> dict[str, int]:
        """Return what a resumed run goes on with."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Take up the count of the earlier part of the run."""
        self.skipped = state_dict["skipped"]

    def _look(self, trainer: pl.Trainer, lag: int) -> None:
        """Look at the steps that are more than ``lag`` steps old."""
        while len(self._waiting) > lag:
            step = self._waiting.popleft()
            if not step.outcome.arrays()["bad"]:
                continue
            reason = next(filter(None, broadcast(gather(self._reason(trainer, step)))), "")
            where = f"epoch {step.epoch + 1}, batch {step.batch + 1}: the loss or its gradient is not finite; "
            where += reason or f"its input is, so look at the learning rate, {max(step.rates):g}: lower model.lr"
            if not self.skips:
                raise UserError(f"{where}; or go on without such steps: trainer.on_nonfinite=skip")
            if not self._said:
                log.warning("%s; this step is skipped, as others like it will be", where)
            self._said, self._skipped_now, self.skipped = True, self._skipped_now + 1, self.skipped + 1

    def _reason(self, trainer: pl.Trainer, step: _Step) -> str:
        """Return which file of this rank's clips holds what is not finite, or nothing."""
        data = data_of(trainer)
        halves = [record.half for record in data.records["train"]]
        for clip in step.clips:
            inputs, _ = data.source.read(halves, [clip], data.clips.clip_len)
            if not any(rows.is_floating_point() and find_broken(rows[0].numpy()).any() for rows in inputs.values()):
                continue
            half = halves[clip.half]
            seconds = data.source.offset(half) + clip.start / data.source.fps
            for broken in broken_rows(data.source, half):
                return f"{broken} (read for a clip of half {half.number} from {seconds:.0f} s); correct the file"
        return ""
