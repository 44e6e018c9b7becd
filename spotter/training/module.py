"""The one Lightning module: a network, a head, and how they are trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from spotter.data.augment import Rows
from spotter.data.images import Pictures
from spotter.data.mixup import Mixup
from spotter.data.source import InputSpec
from spotter.errors import UserError
from spotter.settings import ClipConfig, Postprocess
from spotter.tasks import Task
from spotter.training.build import build, find
from spotter.training.optimizer import SCHEDULES, adamw, check_plateau, schedule_factor
from spotter.types import Batch, batch_size

Step = dict[str, Any]


class SpottingModule(pl.LightningModule):
    """Train any network behind any head; everything that prediction needs stands in its hyper-parameters.

    task, source, clips, postprocess : plain descriptions of the task, the input, the clips and the suppression
    network, head : ``_target_`` and arguments; sizes that follow from task and input are filled in
    targets : description of what the head is trained on
    upsample : anchors per frame
    lr, weight_decay, warmup, final_lr : AdamW; warm-up in steps, or as a share of all steps if below 1, then a
        ``schedule`` (cosine or linear) down to ``final_lr`` of ``lr``
    plateau : with ``schedule="plateau"``, by which ``factor`` the rate falls after ``patience`` validations without
        a lower loss; there is no warm-up then
    sam : radius of sharpness-aware minimisation, or None
    mixup : ``alpha``, ``probability`` and ``beta``, see ``Mixup``, or None
    augment : how clips are changed in training, see ``Rows`` for features and ``Pictures`` for video, or None
    seed : of dropout, mixup and augmentation, together with epoch, step and rank
    compile : compile the network with ``torch.compile``; names in the state dict stay
    """

    def __init__(
        self,
        task: Mapping[str, Any],
        source: Mapping[str, Any],
        network: Mapping[str, Any],
        head: Mapping[str, Any],
        targets: Mapping[str, Any],
        clips: Mapping[str, Any],
        postprocess: Mapping[str, Any],
        upsample: int = 1,
        lr: float = 2e-4,
        weight_decay: float = 1e-2,
        warmup: float = 0.05,
        final_lr: float = 0.01,
        schedule: str = "cosine",
        plateau: Mapping[str, float] | None = None,
        sam: float | None = None,
        mixup: Mapping[str, float] | None = None,
        augment: Mapping[str, Any] | None = None,
        seed: int = 0,
        compile: bool = False,
    ) -> None:
        super().__init__()
        numbers = {
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "final_lr": final_lr,
            "sam": 0.0 if sam is None else sam,
        }
        for key, value in numbers.items():
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
                raise UserError(f"model.{key}: expected a number of at least 0, found {value!r}")
        if schedule not in SCHEDULES:
            raise UserError(f"model.schedule: {schedule!r} is unknown: give one of {', '.join(SCHEDULES)}")
        check_plateau(plateau)
        self.save_hyperparameters(ignore=["compile"], logger=False)
        self.task = Task.load(task)
        spec = InputSpec.load(source)
        self.rate = spec.fps * upsample  # anchors per second
        reads = getattr(find(network), "reads", "features")
        if reads != spec.kind:
            raise UserError(f"model: its network reads {reads}, but the data is {spec.kind}; take another data=…")
        self.plan = ClipConfig(**clips)
        self.postprocess = Postprocess.load(postprocess, len(self.task.classes))
        self.pictures = Pictures(spec.image.mean, spec.image.std, augment) if spec.image is not None else None
        self.rows = Rows(**augment) if augment and spec.image is None else None
        self.network = build(network, layout=spec.layout, upsample=upsample)
        sizes = {"width": self.network.width, "classes": len(self.task.classes), **self._reach(targets)}
        self.head: Any = build(head, **sizes)  # one of spotter.models.blocks.heads
        self.mixup = Mixup(**mixup) if mixup else None
        self._check_mixup()
        if compile:
            self.network.compile()  # in place, so that the state dict keeps its names

    def setup(self, stage: str) -> None:
        """Tell the head how frequent each class is in the training split."""
        if stage == "fit" and hasattr(self.head, "set_rates"):
            self.head.set_rates(self._data.class_rates())

    def forward(self, batch: Batch) -> Any:
        """Return what the head says of a batch that went through ``unpack``."""
        return self.head(self.network(batch["inputs"], batch["phase"], batch["valid"]))

    def unpack(self, batch: Batch) -> Batch:
        """Turn the inputs, which travel as they are stored, into floats on the device; augmented while training."""
        if self.pictures is not None:
            return {**batch, "inputs": {"video": self.pictures(batch["inputs"]["video"], batch["valid"])}}
        return {**batch, "inputs": {name: rows.float() for name, rows in batch["inputs"].items()}}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch; what is random in it follows from (seed, epoch, step, rank)."""
        key = [self.hparams["seed"], self.current_epoch, batch_idx, self.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
        batch = self.unpack(batch)
        if self.rows is not None:
            batch = self.rows(batch)
        if self.mixup is not None:
            batch = self.mixup(batch, self.head.mix, self.plan.partners)
        losses: dict[str, Tensor] = self.head.loss(self(batch), batch)
        if not getattr(self.trainer.optimizers[0], "ascended", False):
            self._log_losses(losses, batch_size(batch))
        return losses["loss"]

    def _log_losses(self, losses: Mapping[str, Tensor], size: int) -> None:
        self.log("train/loss_step", losses["loss"], on_step=True, on_epoch=False, batch_size=size)
        for name, value in losses.items():
            bar = name == "loss"
            self.log(f"train/{name}", value, bar, on_step=False, on_epoch=True, sync_dist=True, batch_size=size)

    def validation_step(self, batch: Batch, batch_idx: int) -> Step | None:
        """Return ``logits`` and ``displacement`` (B, A, K) and, with labels, the ``loss``; None for no clips."""
        if batch_size(batch) == 0:
            return None
        batch = self.unpack(batch)
        output = self(batch)
        logits, displacement = self.head.predict(output)
        loss = float(self.head.loss(output, batch)["loss"]) if batch["targets"] else None
        return {"logits": logits, "displacement": displacement, "loss": loss}

    def test_step(self, batch: Batch, batch_idx: int) -> Step | None:
        """Do what ``validation_step`` does."""
        return self.validation_step(batch, batch_idx)

    def predict_step(self, batch: Batch, batch_idx: int) -> Step | None:
        """Do what ``validation_step`` does."""
        return self.validation_step(batch, batch_idx)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW and its schedule: per step, or by the validation loss."""
        known = self.hparams
        if known["sam"] and self.trainer.accumulate_grad_batches > 1:
            raise UserError("model.sam: does not go with trainer.accumulate_grad_batches; set it to 1")
        optimizer = adamw(self.parameters(), known["lr"], known["weight_decay"], known["sam"])
        if known["schedule"] == "plateau":
            plateau = ReduceLROnPlateau(optimizer, **(known["plateau"] or {}))
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "reduce_on_plateau": False}}
        steps, rest = self._steps(), (known["warmup"], known["final_lr"])
        schedule = LambdaLR(optimizer, lambda step: schedule_factor(known["schedule"], step, steps, *rest))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Step a schedule; a plateau is stepped when its loss is known, before a checkpoint of the epoch is written."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()

    def on_validation_epoch_end(self) -> None:
        """Lower the learning rate where the validation loss has stopped to fall."""
        scheduler = self.lr_schedulers()
        loss = self.trainer.callback_metrics.get("val/loss")
        if isinstance(scheduler, ReduceLROnPlateau) and loss is not None and not self.trainer.sanity_checking:
            scheduler.step(float(loss))

    def _steps(self) -> int:
        # Not trainer.estimated_stepping_batches: it would fetch the first batches before a resumed run knows its epoch.
        trainer = self.trainer
        per_epoch = -(-self._data.batches_per_epoch // trainer.accumulate_grad_batches)
        return per_epoch * trainer.max_epochs if trainer.max_steps < 0 else trainer.max_steps

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the version of the checkpoint's format."""
        checkpoint["spotter_format"] = 1

    @property
    def _data(self) -> Any:
        return self.trainer.datamodule  # type: ignore[attr-defined]

    def _check_mixup(self) -> None:
        name = type(self.head).__name__
        if self.mixup is not None and not hasattr(self.head, "mix"):
            raise UserError(f"model.mixup: {name} has targets that cannot be mixed; give model.mixup=null")
        if self.plan.partners and self.mixup is None:
            raise UserError("model.clips.partners: are there for mixup alone, which is null; set it to false")

    def _reach(self, targets: Mapping[str, Any]) -> dict[str, float]:
        radius = targets.get("displacement_radius")
        return {} if radius is None else {"reach": radius * self.rate}


def parameters_of(module: nn.Module) -> int:
    """Return the number of parameters that are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
