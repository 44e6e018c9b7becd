"""Best checkpoints and early stopping of runs that go on elsewhere, or with other settings."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from spotter.training.callbacks.checkpoints import RunCheckpoint, RunEarlyStopping


def best_of(folder: Path) -> RunCheckpoint:
    return RunCheckpoint(dirpath=folder, filename="best", monitor="val/tight_map", mode="max", save_top_k=1)


def test_a_moved_run_still_knows_its_best(tmp_path: Path) -> None:
    first = best_of(tmp_path / "a")
    path = str(tmp_path / "a" / "best.ckpt")
    first.best_model_path = first.kth_best_model_path = path
    first.best_model_score, first.best_k_models = torch.tensor(0.5), {path: torch.tensor(0.5)}
    second, alone = best_of(tmp_path / "b"), best_of(tmp_path / "c")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "best.ckpt").touch()
    second.load_state_dict(first.state_dict())
    moved = str(tmp_path / "b" / "best.ckpt")
    assert (second.best_model_path, second.kth_best_model_path) == (moved, moved)
    assert float(second.best_k_models[moved]) == float(second.best_model_score or 0) == 0.5
    alone.load_state_dict(first.state_dict())
    assert (alone.best_model_path, alone.best_k_models) == ("", {}), "what did not come along is not the best"


def test_a_resumed_run_has_its_own_patience_and_stops_where_it_had_stopped() -> None:
    first = RunEarlyStopping(monitor="val/tight_map", patience=2)
    first.wait_count = 2
    for patience, stops in ((2, True), (5, False)):
        second = RunEarlyStopping(monitor="val/tight_map", patience=patience)
        second.load_state_dict(first.state_dict())
        trainer: Any = SimpleNamespace(should_stop=False)
        second.on_train_start(trainer, None)  # type: ignore[arg-type]
        assert (second.patience, trainer.should_stop) == (patience, stops)
