"""The logger of Weights & Biases: one W&B run for each of ours, also when it is resumed, and never a reason to stop."""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from spotter.errors import UserError
from spotter.io.files import atomic_write

if TYPE_CHECKING:
    from wandb import Run

log = logging.getLogger(__name__)


class Wandb(WandbLogger):
    """Log to one W&B run; of all that fails there one warning is given, and training goes on.

    save_dir : the run's folder; W&B keeps its files in ``wandb/`` there
    name : of the W&B run; None for $WANDB_NAME, or that of the folder, ``<model>-<data>/<date>_<time>``
    settings : of ``wandb.Settings``; those that the installed version does not have yet are left out
    """

    def __init__(
        self, save_dir: str, name: str | None = None, settings: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        import wandb

        self._id_file = Path(save_dir) / "wandb" / "run_id"
        started = self._id_file.read_text(encoding="utf-8") if self._id_file.is_file() else None
        known = {key: value for key, value in (settings or {}).items() if key in wandb.Settings.model_fields}
        name = name or os.environ.get("WANDB_NAME") or "/".join(Path(save_dir).absolute().parts[-2:])
        super().__init__(name=name, save_dir=save_dir, version=started, settings=known, **kwargs)
        self._wandb_init.pop("anonymous", None)  # Lightning gives it, W&B warns of it
        self._warned = False

    def check_login(self) -> None:
        """Raise UserError where W&B is online and nobody is logged in; on a terminal W&B asks for the key now."""
        import wandb
        from wandb.errors import AuthenticationError, UsageError

        if rank_zero_only.rank != 0 or os.environ.get("WANDB_MODE", "online") != "online":  # type: ignore[attr-defined]
            return
        try:
            wandb.login(verify=False)
        except (AuthenticationError, UsageError) as error:
            raise UserError(f"W&B: {_line(error)} Or set WANDB_MODE=offline") from error

    @property
    def experiment(self) -> Run:
        """Return the W&B run, which begins with the first use; a stand-in on all ranks but the first."""
        if self._experiment is None and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            self._experiment = self._begin()
        return super().experiment

    @property
    def live(self) -> bool:
        """Return whether something can be logged to ``experiment``: not on other ranks, nor where W&B is disabled."""
        return rank_zero_only.rank == 0 and not self.experiment.disabled  # type: ignore[attr-defined]

    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Store the config."""
        with self.tolerant("the config"):
            super().log_hyperparams(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers."""
        with self.tolerant("numbers"):
            super().log_metrics(metrics, step)

    @contextmanager
    def tolerant(self, what: str) -> Iterator[None]:
        """Let what is done while the block runs fail with a single warning."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            if not self._warned:
                log.warning("W&B: %s could not be logged (%s); the run goes on", what, _line(error))
            self._warned = True

    def _begin(self) -> Run:
        import wandb
        from wandb.errors import AuthenticationError, UsageError

        try:
            run = wandb.init(**self._wandb_init)
        except (AuthenticationError, UsageError) as error:
            raise UserError(f"W&B: {_line(error)} Or set WANDB_MODE=offline") from error
        except Exception as error:
            log.warning("W&B: %s; this run is kept in %s, for `wandb sync`", _line(error), self._id_file.parent)
            run = wandb.init(**self._wandb_init, mode="offline")
        if not run.disabled:
            atomic_write(self._id_file, run.id.encode())
        run.define_metric("trainer/global_step", hidden=True)
        run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        return run


def wandb_logger(trainer: pl.Trainer) -> Wandb | None:
    """Return the trainer's W&B logger on the rank that logs, where there is a run to log to."""
    loggers = (each for each in trainer.loggers if isinstance(each, Wandb))
    return next((each for each in loggers if each.live), None)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
