"""Loggers: each works on a tiny run; a W&B run per job, closed with the status that the job ended with."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pytorch_lightning.loggers import CSVLogger, WandbLogger

from spotter.training.run import finishing
from tests.conftest import call

TINIEST = ["trainer.max_epochs=1", "model.clips.per_epoch=16"]


def run_with(logger: str, tiny: list[str], cwd: Path, **env: str) -> Path:
    """Return the folder of a run with a logger."""
    called = call("train.py", *tiny, *TINIEST, f"logger={logger}", "trainer.log_every_n_steps=1", cwd=cwd, env=env)
    assert called.status == 0, called.err
    (run,) = cwd.glob("outputs/*/*")
    assert (run / "metrics.csv").is_file()
    return run


def test_csv(tiny: list[str], tmp_path: Path) -> None:
    """Curves per step, and the scores on test, stand in ``steps/``."""
    (table,) = run_with("csv", tiny, tmp_path).glob("steps/*/metrics.csv")
    columns = table.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {"train/loss_step", "val/loss", "test/tight_map", "test/loss"} <= set(columns)


@pytest.mark.slow
def test_tensorboard(tiny: list[str], tmp_path: Path) -> None:
    """An event file is written."""
    pytest.importorskip("tensorboard")
    assert list(run_with("tensorboard", tiny, tmp_path).rglob("events.out.tfevents.*"))


def test_wandb_disabled(tiny: list[str], tmp_path: Path) -> None:
    """``WANDB_MODE=disabled`` works too, and keeps nothing."""
    run = run_with("wandb", tiny, tmp_path, WANDB_MODE="disabled", WANDB_SILENT="true")
    assert not list(run.rglob("*.wandb"))


@pytest.mark.parametrize(
    ("error", "status"), [(None, 0), (RuntimeError("x"), 1), (KeyboardInterrupt(), 130), (SystemExit(3), 1)]
)
def test_wandb_run_is_closed_with_the_jobs_status(
    error: BaseException | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crashed run is not shown as finished; what happened is raised on."""
    closed: list[int] = []
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(finish=lambda exit_code: closed.append(exit_code)))
    raised = None
    try:
        with finishing([WandbLogger.__new__(WandbLogger)]):
            if error:
                raise error
    except BaseException as caught:
        raised = caught
    assert raised is error
    assert closed == [status]


def test_other_loggers_need_no_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its logger, W&B is not even imported."""
    monkeypatch.setitem(sys.modules, "wandb", None)
    with finishing([CSVLogger.__new__(CSVLogger)]):
        pass
