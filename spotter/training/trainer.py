"""Trainers from configs, with the few decisions that depend on the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import hydra
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.exceptions import SIGTERMException

from spotter.errors import UsageError
from spotter.inference.allocator import keep_freed_memory
from spotter.training.callbacks.progress import progress_bars


def build_trainer(cfg: DictConfig, progress: Sequence[pl.Callback] = ()) -> pl.Trainer:
    """Build the trainer with the callbacks and loggers of the config; null entries are left out.

    progress : callbacks in place of Lightning's progress bar
    ``trainer.precision=auto`` is bf16 mixed precision on a GPU that has it, else single precision.
    """
    if not cfg.callbacks.get("average_map"):
        raise UsageError("callbacks.average_map: predictions and scores are made there, it cannot be left out")
    callbacks = [hydra.utils.instantiate(callback) for callback in cfg.callbacks.values() if callback]
    loggers = [hydra.utils.instantiate(logger) for logger in (cfg.get("logger") or {}).values() if logger]
    settings = plain(cfg.trainer)
    gpu = settings["accelerator"] != "cpu" and torch.cuda.is_available()
    if settings.get("precision") == "auto":
        settings["precision"] = "bf16-mixed" if gpu and torch.cuda.is_bf16_supported() else "32-true"
    if not gpu:
        keep_freed_memory()
    bars = [] if progress else progress_bars()
    callbacks += [*progress, *bars]
    return hydra.utils.instantiate(
        settings, callbacks=callbacks, logger=loggers or False, enable_progress_bar=bool(bars)
    )


def plain(config: Any) -> dict[str, Any]:
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
        raise KeyboardInterrupt from error
