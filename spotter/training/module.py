"""The one Lightning module: a spotting system, and how it is trained."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from spotter.data.augment import FeatureTransform
from spotter.data.images import ImageTransform
from spotter.data.mixup import Mixup
from spotter.errors import UserError
from spotter.io.upgrade import FORMAT
from spotter.models.build import module_of
from spotter.models.joint import forward_jointly, joint_losses
from spotter.models.system import System
from spotter.training.callbacks.clock import CpuLimit
from spotter.training.callbacks.lookup import callback_of
from spotter.training.callbacks.nonfinite import NonFinite
from spotter.training.datamodule import SpottingDataModule, data_of
from spotter.training.optimizer import OptimizerConfig, SharpnessAware, adamw, schedule_factor, update_rates
from spotter.types import OWN, PSEUDO, Batch, Output, Plain, batch_size

log = logging.getLogger(__name__)
T = TypeVar("T")


class EvaluationStep(TypedDict):
    """Hold what evaluating a batch gives."""

    outputs: dict[str, Tensor]  # see ``System.outputs``
    loss: Tensor | None  # where the batch has targets
    measures: dict[str, Tensor]  # what else of it is logged, see ``Head.measures``


class SpottingModule(pl.LightningModule):
    """Train a system; everything that prediction needs stands in its hyper-parameters.

    task, source, clips, postprocess : plain descriptions of the task, the input, the clips and the suppression
    network, head : ``_target_`` and arguments, of any module that can be imported: whoever trains it trusts it
    optimizer : see ``OptimizerConfig``
    augmentation : how training clips are changed: ``mixup`` with the arguments of ``Mixup``, and ``augment`` with those
        of ``FeatureTransform`` for features and of ``ImageTransform`` for video; None for neither
    teams : how they are told apart where the task has some, see ``spotter.models.blocks.teams``
    joint : of joint training, ``task``, ``head``, ``postprocess`` and ``teams`` of every other label set by its name
    """

    def __init__(
        self,
        task: Plain,
        source: Plain,
        network: Plain,
        head: Plain,
        clips: Plain,
        postprocess: Plain,
        optimizer: Plain | None = None,
        augmentation: Plain | None = None,
        teams: str = "joint",
        joint: Mapping[str, Plain] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.optimizer_config = OptimizerConfig.load(optimizer or {})
        description = {"task": task, "source": source, "network": network, "head": head, "clips": clips}
        self.system = System.build(
            {**description, "postprocess": postprocess, "teams": teams}, [module_of(network), module_of(head)]
        )
        self.network, self.head = self.system.network, self.system.head
        mixup, augment = (augmentation or {}).get("mixup"), (augmentation or {}).get("augment")
        image = self.system.spec.image
        self.images = self.system.images = ImageTransform(image.mean, image.std, augment) if image is not None else None
        layout = self.system.spec.layout
        of_rows = augment if image is None else None
        self.rows = _made("augment", FeatureTransform, **of_rows, layout=layout) if of_rows else None
        self.mixup = _made("mixup", Mixup, **mixup) if mixup else None
        others = {
            name: self.system.with_labels(labels, [module_of(labels["head"])]) for name, labels in (joint or {}).items()
        }
        self.systems = {OWN: self.system, **others}  # by label set, with one network
        self.heads = nn.ModuleDict({name: system.head for name, system in others.items()})
        self._last_losses: dict[str, Tensor] = {}
        self._check_mixup()
        self._check_teams()

    def setup(self, stage: str) -> None:
        """Give each head the frequency of its classes in the training split."""
        if stage == "fit":
            for name, system in self.systems.items():
                system.head.set_class_prior(self._data.sets[name].class_prior())

    def forward(self, batch: Batch) -> Output:
        """Return the head's output for a batch that ``System.prepare`` prepared."""
        return self.system.forward(batch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch; what is random in it follows from (seed, epoch, step, rank)."""
        key = [self._data.seed, self.current_epoch, batch_idx, self.global_rank]
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):  # what others draw, a user's callback for example, does not start again
            torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
            losses = self.losses(batch)
        optimizer = self.trainer.optimizers[0]
        if not (isinstance(optimizer, SharpnessAware) and optimizer.ascended):
            self._log_losses(self._finite(losses), batch_size(batch))
        return losses["loss"]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Augment and mix a training batch as it was read; return the ``loss`` and its parts."""
        batches = {OWN: batch, **batch.get("others", {})}
        systems = {name: self.system_of(name) for name in batches}
        ready = {name: self._augment(systems[name], each) for name, each in batches.items()}
        if len(ready) == 1:
            return self.head.loss(self(ready[OWN]), ready[OWN])
        weights = {name: data.weight for name, data in self._data.sets.items()}
        return joint_losses(systems, forward_jointly(systems, ready), ready, weights)

    def system_of(self, name: str) -> System:
        """Return the system of a label set, by the name of its data."""
        return self.system if name == PSEUDO else self.systems[name]

    def _augment(self, system: System, batch: Batch) -> Batch:
        batch = system.prepare(batch)
        if self.rows is not None:
            batch = self.rows(batch)
        if self.mixup is not None:
            batch = self.mixup(batch, system.head.mix, system.clips.balanced_mixup)
        return batch

    def _finite(self, losses: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return losses to be logged; where steps are skipped, the last finite one stands in for one that is not."""
        watch = callback_of(self.trainer, NonFinite)
        if watch is None or not watch.skips:
            return losses
        for name, value in losses.items():
            last = self._last_losses.get(name, torch.zeros_like(value))
            self._last_losses[name] = torch.where(value.isfinite(), value, last).detach()
        return self._last_losses

    def _log_losses(self, losses: Mapping[str, Tensor], size: int) -> None:
        self.log("train/loss_step", losses["loss"], on_step=True, on_epoch=False, batch_size=size)
        for name, value in losses.items():
            bar = name == "loss"
            self.log(f"train/{name}", value, bar, on_step=False, on_epoch=True, sync_dist=True, batch_size=size)

    def on_train_epoch_end(self) -> None:
        """Say how many clips could not be read, where that ends nothing."""
        for data in self._data.sets.values():
            if data.skips is not None:
                data.skips.say()

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> EvaluationStep | None:
        """Return what ``evaluate`` does; None for no clips."""
        return self.evaluate(batch, self._data.validated[dataloader_idx]) if batch_size(batch) else None

    def evaluate(self, batch: Batch, labels: str = OWN) -> EvaluationStep:
        """Return the ``outputs`` of a batch as it was read, and its loss where it has targets.

        labels : the name of its label set
        """
        system = self.systems[labels]
        batch = system.prepare(batch)
        output = system.forward(batch)
        parts = system.head.loss(output, batch) if batch["targets"] else {}
        measures = {name: parts[name] for name in system.head.measures if name in parts}
        return {"outputs": system.predict(batch, output), "loss": parts.get("loss"), "measures": measures}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW and its schedule: per step, or by the validation loss."""
        config = self.optimizer_config
        if config.sam and self.trainer.accumulate_grad_batches > 1:
            raise UserError("model.sam: does not go with trainer.accumulate_grad_batches; set it to 1")
        if config.sam and self.trainer.precision == "16-mixed":
            raise UserError("model.sam: does not go with trainer.precision=16-mixed; take bf16-mixed or 32-true")
        optimizer = adamw(config, self.network, nn.ModuleList([self.head, self.heads]))
        if config.schedule == "plateau":
            plateau = ReduceLROnPlateau(optimizer, **(config.plateau or {}))
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "reduce_on_plateau": False}}
        steps, rest = self._steps(), (config.warmup, config.final_lr)
        schedule = LambdaLR(optimizer, lambda step: schedule_factor(config.schedule, step, steps(step), *rest))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def lr_scheduler_step(self, scheduler: LRScheduler | ReduceLROnPlateau, metric: object) -> None:
        """Step a schedule; a plateau is stepped when its loss is known, before a checkpoint of the epoch is written."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()

    def on_validation_epoch_end(self) -> None:
        """Lower the learning rate where the validation loss has stopped to fall."""
        scheduler = self.lr_schedulers()
        loss = self.trainer.callback_metrics.get("val/loss")
        if isinstance(scheduler, ReduceLROnPlateau) and loss is not None and not self.trainer.sanity_checking:
            scheduler.step(float(loss))

    def _steps(self) -> Callable[[int], float]:
        """Return what says, at a step, how many steps there will be in all."""
        # Not trainer.estimated_stepping_batches: it would fetch the first batches before a resumed run knows its epoch.
        trainer, clock = self.trainer, callback_of(self.trainer, CpuLimit)
        if clock is not None:
            return clock.expected_steps
        batches, limit = self._data.batches_per_epoch, trainer.limit_train_batches
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
        per_epoch = -(-batches // trainer.accumulate_grad_batches)
        steps = per_epoch * (trainer.max_epochs or 0)
        steps = steps if trainer.max_steps < 0 else min(steps, trainer.max_steps)
        if self.optimizer_config.warmup >= max(steps, 1):
            log.warning("model.warmup=%g: the run has %d steps, so that the learning rate never reaches model.lr; "
                        "give less, or a fraction such as 0.05", self.optimizer_config.warmup, steps)  # fmt: skip
        return lambda step: steps

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let the learning rate, the weight decay and the plateau of today win over those that the run began with."""
        before = OptimizerConfig.load(checkpoint["hyper_parameters"].get("optimizer") or {})
        for state in checkpoint.get("optimizer_states", []):
            update_rates(state, checkpoint.get("lr_schedulers", []), before, self.optimizer_config)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the version of the checkpoint's format."""
        checkpoint["spotter_format"] = FORMAT

    @property
    def _data(self) -> SpottingDataModule:
        return data_of(self.trainer)

    def _check_teams(self) -> None:
        tracking = self.rows.tracking if self.rows is not None and self.rows.tracking else {}
        for key in ("flip_x", "swap_teams"):
            if self.system.task.teams and tracking.get(key):
                raise UserError(
                    f"data.augment.{key}: would change which team acts, by task {self.system.task.name}; set it to 0"
                )

    def _check_mixup(self) -> None:
        if self.mixup is not None and not all(system.head.mixes for system in self.systems.values()):
            name = type(self.head).__name__
            raise UserError(f"model.mixup: {name} has targets that cannot be mixed; give model.mixup=null")
        if self.system.clips.balanced_mixup and self.mixup is None:
            raise UserError("model.clips.balanced_mixup: is there for mixup alone, which is null; set it to false")


def systems_of(module: pl.LightningModule) -> dict[str, System]:
    """Return the systems that a module trains, by label set."""
    if not isinstance(module, SpottingModule):
        raise TypeError(f"expected a SpottingModule, found {type(module).__name__}")
    return module.systems


def parameters_of(module: nn.Module) -> int:
    """Return the number of parameters that are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def _made(key: str, kind: Callable[..., T], **settings: Any) -> T:
    """Return what the settings below a key of ``model`` describe; raises UserError for those it does not take."""
    try:
        return kind(**settings)
    except TypeError as error:
        raise UserError(f"model.{key}: {error}") from error
