"""``metrics.csv``: a row an epoch, also when runs are resumed and not every epoch is validated."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from spotter.training.callbacks.history import History


def trainer(epoch: int, metrics: dict[str, float], every: int = 1, ckpt: str | None = None, rank: int = 0) -> Any:
    """Return what the callback looks at."""
    return SimpleNamespace(
        current_epoch=epoch,
        global_step=10 * (epoch + 1),
        callback_metrics={name: torch.tensor(value, dtype=torch.float64) for name, value in metrics.items()},
        enable_validation=(epoch + 1) % every == 0,
        ckpt_path=ckpt,
        is_global_zero=rank == 0,
    )


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of the file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(history: History, *said: Any) -> None:
    """Let epochs end."""
    history.on_fit_start(said[0], None)  # type: ignore[arg-type]
    for each in said:
        history.on_train_epoch_end(each, None)  # type: ignore[arg-type]


def test_numbers_are_kept_exactly(tmp_path: Path) -> None:
    """What is read back is the number that was logged."""
    value = 0.1 + 0.2
    write(History(str(tmp_path / "new" / "m.csv")), trainer(0, {"train/loss": value, "val/x,y": 1 / 3}))
    (row,) = rows(tmp_path / "new" / "m.csv")
    assert (float(row["train/loss"]), float(row["val/x,y"]), row["step"]) == (value, 1 / 3, "10")


def test_scores_stand_in_validated_epochs_only(tmp_path: Path) -> None:
    """Scores of an earlier epoch linger in the trainer; they are not repeated."""
    metrics = {"train/loss": 1.0, "val/map": 0.5}
    write(History(str(tmp_path / "m.csv")), *(trainer(epoch, metrics, every=2) for epoch in range(4)))
    assert [row["val/map"] for row in rows(tmp_path / "m.csv")] == ["", "0.5", "", "0.5"]


def test_resumed_run_replaces_what_it_repeats(tmp_path: Path) -> None:
    """Rows before the checkpoint stay, later ones are written again; new columns are added."""
    path = tmp_path / "m.csv"
    write(History(str(path)), *(trainer(epoch, {"train/loss": float(epoch)}) for epoch in range(3)))
    write(History(str(path)), trainer(1, {"train/loss": 10.0, "val/map": 0.5}, ckpt="last.ckpt"))
    assert [(row["epoch"], row["train/loss"], row["val/map"]) for row in rows(path)] == [
        ("0", "0.0", ""),
        ("1", "10.0", "0.5"),
    ]


def test_new_run_and_other_ranks(tmp_path: Path) -> None:
    """A run that is not resumed starts a new file; only rank 0 writes."""
    path = tmp_path / "m.csv"
    write(History(str(path)), trainer(5, {"train/loss": 1.0}))
    write(History(str(path)), trainer(0, {"train/loss": 2.0}, rank=1))
    assert [row["epoch"] for row in rows(path)] == ["5"]
    write(History(str(path)), trainer(0, {"train/loss": 2.0}))
    assert [row["epoch"] for row in rows(path)] == ["0"]
