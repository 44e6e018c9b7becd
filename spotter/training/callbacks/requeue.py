"""Jobs of SLURM that must give way: they are queued again, and go on in their folder."""

from __future__ import annotations

import logging
import signal
import subprocess
from pathlib import Path
from types import FrameType

import pytorch_lightning as pl

from spotter.io.files import atomic_write
from spotter.io.run_folders import SLURM_JOB, slurm_job

log = logging.getLogger(__name__)


class Requeue(pl.Callback):
    """On SIGUSR1 queue the job again and end; the same command then goes on from the last whole epoch.

    SLURM sends the signal before the time limit or preemption where the job asks for it: --signal=USR1@120. The folder
    of the run notes the job's number.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the job, and listen to the signal."""
        job = slurm_job()
        if job is None:
            return
        if trainer.is_global_zero:
            atomic_write(Path(trainer.default_root_dir) / SLURM_JOB, job.encode())

        def requeue(signum: int, frame: FrameType | None) -> None:
            if trainer.is_global_zero:
                ended = subprocess.run(["scontrol", "requeue", job], check=False).returncode
                outcome = "is queued again" if ended == 0 else f"cannot be queued again, scontrol ended with {ended}"
                log.info("job %s %s", job, outcome)
            raise KeyboardInterrupt

        signal.signal(signal.SIGUSR1, requeue)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Listen no longer."""
        if slurm_job() is not None and stage == "fit":
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
