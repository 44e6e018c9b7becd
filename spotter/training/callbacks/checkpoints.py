"""Lightning's checkpoints and early stopping, exact also when a run goes on elsewhere or with other settings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

log = logging.getLogger(__name__)
PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


class RunCheckpoint(ModelCheckpoint):
    """Keep checkpoints; a run whose folder was moved still knows which of its weights were best.

    A checkpoint holds names of files alone, no path of the machine that wrote it.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run goes on with."""
        state = super().state_dict()
        names = {name: Path(state[name]).name for name in PATHS if name in state}
        kept = {Path(path).name: score for path, score in state["best_k_models"].items()}
        return {**state, **names, "best_k_models": kept, "dirpath": ""}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the earlier state, its paths pointing at this run's folder.

        Where the best weights so far are not there, as they did not come along, the best are chosen from now on.
        """
        folder = Path(str(self.dirpath))

        def moved(path: str) -> str:
            return str(folder / Path(path).name) if path else path

        paths = {name: moved(state_dict[name]) for name in PATHS if name in state_dict}
        best = paths.get("best_model_path")
        if best and not Path(best).is_file():
            log.warning("%s: not here, so the best weights are chosen among those from now on", best)
            return
        kept = {moved(path): score for path, score in state_dict.get("best_k_models", {}).items()}
        super().load_state_dict({**state_dict, **paths, "dirpath": str(self.dirpath), "best_k_models": kept})


class RunEarlyStopping(EarlyStopping):
    """Stop a run that no longer gets better; a resumed run has its own patience, and stops where it had stopped."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the earlier state, but not its patience."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop at once if patience was exhausted before."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True
