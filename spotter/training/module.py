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

from spotter.batch import Batch, batch_size
from spotter.data.augment import mixup
from spotter.data.pictures import Pictures
from spotter.data.sources import load_source
from spotter.errors import UserError
from spotter.inference.postprocess import Postprocess
from spotter.tasks import Task
from spotter.training.build import build, find
from spotter.training.plan import ClipPlan

Step = dict[str, Any]


class SpottingModule(pl.LightningModule):
    """Train any network behind any head; everything that prediction needs stands in its hyper-parameters.

    task, source, clips, postprocess : plain descriptions of the task, the input, the clips and the suppression
    network, head : ``_target_`` and arguments; sizes that follow from task and input are filled in
    targets : description of what the head is trained on
    upsample : anchors per frame
    lr, weight_decay, warmup, final_lr : AdamW; warm-up in steps, or as a share of all steps if below 1, then a cosine
        down to ``final_lr`` of ``lr``
    mixup : ``alpha`` and ``probability``, or None
    augment : how clips of video are changed in training, see ``Pictures``, or None
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
        mixup: Mapping[str, float] | None = None,
        augment: Mapping[str, Any] | None = None,
        seed: int = 0,
        compile: bool = False,
    ) -> None:
        super().__init__()
        for key, value in {"lr": lr, "weight_decay": weight_decay, "warmup": warmup, "final_lr": final_lr}.items():
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise UserError(f"model.{key}: expected a number of at least 0, found {value!r}")
        self.save_hyperparameters(ignore=["compile"], logger=False)
        self.task = Task.load(task)
        self.plan = ClipPlan(**clips)
        self.postprocess = Postprocess.load(postprocess, len(self.task.classes))
        described = load_source(source)
        self.rate = described.fps * upsample  # anchors per second
        self.pictures = Pictures(source["mean"], source["std"], augment) if described.kind == "video" else None
        reads = getattr(find(network), "reads", "features")
        if reads != described.kind:
            raise UserError(f"model: its network reads {reads}, but the data is {described.kind}; take another data=…")
        self.network = build(network, layout=described.layout, upsample=upsample)
        sizes = {"width": self.network.width, "classes": len(self.task.classes), **self._reach(targets)}
        self.head: Any = build(head, **sizes)  # one of spotter.models.heads
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
        batch, mixed = self.unpack(batch), None
        if self.hparams["mixup"]:
            batch, mixed = mixup(batch, self.head.soft_targets, **self.hparams["mixup"])
        losses: dict[str, Tensor] = self.head.loss(self(batch), batch, mixed)
        size = batch_size(batch)
        self.log("train/loss_step", losses["loss"], on_step=True, on_epoch=False, batch_size=size)
        for name, value in losses.items():
            bar = name == "loss"
            self.log(f"train/{name}", value, bar, on_step=False, on_epoch=True, sync_dist=True, batch_size=size)
        return losses["loss"]

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
        """Return AdamW, decaying matrices only, with warm-up and cosine per step."""
        decayed = [p for p in self.parameters() if p.requires_grad and p.dim() >= 2]
        plain = [p for p in self.parameters() if p.requires_grad and p.dim() < 2]
        groups = [
            {"params": decayed, "weight_decay": self.hparams["weight_decay"]},
            {"params": plain, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.hparams["lr"])
        steps = self._steps()
        warmup, final = self.hparams["warmup"], self.hparams["final_lr"]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine(step, steps, warmup, final))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

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

    def _reach(self, targets: Mapping[str, Any]) -> dict[str, float]:
        radius = targets.get("displacement_radius")
        return {} if radius is None else {"reach": radius * self.rate}


def cosine(step: int, steps: int, warmup: float, final: float) -> float:
    """Return the factor of the learning rate at a step: linear warm-up, then a cosine from 1 to ``final``."""
    rise = warmup if warmup >= 1 else warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    progress = min(1.0, (step - rise) / max(1.0, steps - rise))
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))


def parameters_of(module: nn.Module) -> int:
    """Return the number of parameters that are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
