"""Trainers from configs, with the few decisions that depend on the machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import hydra
import pytorch_lightning as pl
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import ClusterEnvironment
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.accelerators import CUDAAccelerator
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import SIGTERMException

from spotter.checks import check_choice, check_integer
from spotter.errors import UsageError, UserError
from spotter.inference.allocator import keep_freed_memory
from spotter.inference.precision import PRECISIONS, engine_precision, fast_precision
from spotter.interpolation import escape
from spotter.tasks import full_name
from spotter.training.callbacks.clock import CpuLimit
from spotter.training.callbacks.nonfinite import NonFinite
from spotter.training.callbacks.progress import EpochBar, progress_callback
from spotter.training.callbacks.requeue import Requeue
from spotter.training.checkpoint import CheckpointFiles
from spotter.training.rank_watch import watch_ranks
from spotter.training.sync_batchnorm import SyncBatchNorm

T = TypeVar("T")
MATMUL_PRECISIONS = ("highest", "high", "medium")


class Trainer(pl.Trainer):
    """Lightning's trainer, with two rules of its own: which epochs are validated, and a limit of CPU seconds.

    Every ``check_val_every_n_epoch``-th epoch is, except for the first ``validate_after``; the last always is.
    ``enable_validation`` says whether the current epoch is one of them, to Lightning and to callbacks alike.
    ``max_cpu_seconds`` of training end it instead of ``max_epochs``, see ``CpuLimit``; the learning rate follows them.

    on_nonfinite : what a loss or gradient that is not finite means, ``stop`` or ``skip``, see ``NonFinite``
    requeue : on SIGUSR1 queue the SLURM job again, see ``Requeue``
    sync_batchnorm : batch norms take their statistics over all GPUs, see ``SyncBatchNorm``
    matmul_precision : of products of float32 on a GPU: ``highest``, or ``high`` and ``medium``, which are faster
    """

    def __init__(
        self,
        *,
        check_val_every_n_epoch: int = 1,
        validate_after: int = 0,
        max_cpu_seconds: float | None = None,
        on_nonfinite: str = "stop",
        requeue: bool = False,
        matmul_precision: str = "high",
        sync_batchnorm: bool = False,
        callbacks: Sequence[pl.Callback] = (),
        plugins: Sequence[Any] | None = None,
        **settings: Any,
    ) -> None:
        check_integer("trainer.check_val_every_n_epoch", check_val_every_n_epoch, 1)
        check_integer("trainer.validate_after", validate_after, 0)
        check_choice("trainer.matmul_precision", matmul_precision, MATMUL_PRECISIONS)
        self._interval, self._validate_after = check_val_every_n_epoch, validate_after
        limit: list[pl.Callback] = [Requeue()] if requeue else []
        if max_cpu_seconds is not None:
            limit, settings = [*limit, CpuLimit(max_cpu_seconds)], {**settings, "max_epochs": -1}
        super().__init__(
            check_val_every_n_epoch=1,
            callbacks=[*callbacks, *limit, NonFinite(on_nonfinite)],
            plugins=[*(plugins or ()), CheckpointFiles(), *([SyncBatchNorm()] if sync_batchnorm else [])],
            **settings,
        )
        if sync_batchnorm and not isinstance(self.accelerator, CUDAAccelerator):
            raise UserError("trainer.sync_batchnorm: torch has it for GPUs alone; set it to false, or give trainer=ddp")
        if isinstance(self.accelerator, CUDAAccelerator):
            torch.set_float32_matmul_precision(matmul_precision)

    @property
    def enable_validation(self) -> bool:
        """Return whether the current epoch is validated; before the first, where the sanity check is, True."""
        if not super().enable_validation or self.fit_loop.epoch_progress.current.ready == 0:
            return super().enable_validation
        count = self.current_epoch + 1
        last = self.should_stop or count == self.max_epochs
        return last or (count % self._interval == 0 and count > self._validate_after)


def build_trainer(cfg: DictConfig) -> Trainer:
    """Build the trainer with the callbacks and loggers of the config; null entries are left out."""
    if not cfg.callbacks.get("average_map"):
        raise UsageError("callbacks.average_map: scores are made there, it cannot be left out")
    if cfg.trainer.get("max_cpu_seconds") is not None and cfg.data.num_workers:
        raise UsageError("trainer.max_cpu_seconds: does not count workers that read data; take data.num_workers=0")
    callbacks = [_build_callback(name, callback) for name, callback in cfg.callbacks.items() if callback]
    loggers = [
        instantiate(logger, Logger)  # type: ignore[type-abstract]
        for logger in (cfg.get("logger") or {}).values()
        if logger
    ]
    settings = plain(cfg.trainer) | {"precision": precision(cfg.trainer)}
    progress = progress_callback()
    if device_of(cfg.trainer).type == "cpu":
        keep_freed_memory()
    return instantiate(
        settings,
        Trainer,
        callbacks=[*callbacks, progress],
        logger=loggers or False,
        enable_progress_bar=isinstance(progress, EpochBar),
    )


def _build_callback(name: object, callback: DictConfig) -> pl.Callback:
    """Build a callback; the key that it monitors may be typed short, as ``val/at_1``."""
    if not isinstance(callback, DictConfig) or "_target_" not in callback:
        raise UsageError(f"callbacks.{name}: expected a callback with a _target_ or null, found {callback}")
    monitor = {"monitor": full_name(callback.monitor)} if callback.get("monitor") else {}
    return instantiate(callback, pl.Callback, **monitor)


def launch(settings: DictConfig) -> torch.device:
    """Start the other ranks that ``trainer`` in a config asks for, and return the device of this one."""
    if device_of(settings).type == "cpu":
        keep_freed_memory()
    known = {key: settings[key] for key in ("accelerator", "devices", "strategy", "num_nodes") if key in settings}
    fabric = Fabric(**known, plugins=[instantiate(each, ClusterEnvironment) for each in settings.get("plugins") or ()])  # type: ignore[type-abstract]
    fabric.launch()
    watch_ranks(fabric.strategy.launcher)
    return fabric.device


def device_of(settings: DictConfig) -> torch.device:
    """Return what ``trainer`` in a config means on this machine: a GPU, whichever of them, or the CPU."""
    return torch.device("cuda" if settings.accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def short_precision(settings: DictConfig) -> str:
    """Return the precision as the engine names it, for example 32 or bf16."""
    return engine_precision(precision(settings))


def precision(settings: DictConfig) -> str:
    """Return Lightning's name of the precision; ``auto`` is what the device is fast in.

    Raises UsageError for one that spotter does not compute in.
    """
    if settings.precision != "auto":
        if engine_precision(settings.precision) not in PRECISIONS:
            known = ", ".join(("auto", *PRECISIONS))
            raise UsageError(f"trainer.precision: {settings.precision!r} is not supported: give one of {known}")
        return str(settings.precision)
    fast = fast_precision(device_of(settings))
    return f"{fast}-true" if PRECISIONS[fast] is None else f"{fast}-mixed"


def instantiate(config: object, of: type[T], **arguments: object) -> T:
    """Build what a config describes, which is an ``of``; its texts are taken as they are, ``${e}`` in a path, too."""
    content = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
    built = hydra.utils.instantiate(_guarded(content), **arguments)
    if not isinstance(built, of):
        raise UsageError(f"expected a config of a {of.__name__}, found one of a {type(built).__name__}")
    return built


def _guarded(value: Any) -> Any:
    """Return a value whose texts survive that Hydra resolves them twice."""
    match value:
        case str():
            return escape(escape(value))
        case Mapping():
            return {key: _guarded(each) for key, each in value.items()}
        case list():
            return [_guarded(each) for each in value]
    return value


def plain(config: object) -> dict[str, Any]:
    """Return a config as plain, resolved containers, as constructors and checkpoints take them."""
    content = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
    return {str(key): value for key, value in content.items()} if isinstance(content, Mapping) else {}


@contextmanager
def interruptible(trainer: pl.Trainer) -> Iterator[None]:
    """Let Ctrl-C and termination come out of the trainer as KeyboardInterrupt, whichever process they reach first."""
    try:
        yield
    except (SIGTERMException, SystemExit, RuntimeError) as error:
        # what Lightning makes of SIGTERM and of Ctrl-C, and torch of SIGTERM that reached a loader's worker
        stopped = trainer.received_sigterm or "killed by signal: Term" in str(error)
        if isinstance(error, RuntimeError) and not stopped:
            raise
        raise KeyboardInterrupt from None  # else a notebook shows both


@contextmanager
def terminable() -> Iterator[None]:
    """Let termination raise KeyboardInterrupt, as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
