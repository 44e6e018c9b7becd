"""Which epochs are validated, when CPU seconds end training, and with which precision."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from pytorch_lightning.accelerators import CPUAccelerator
from torch.utils.data import DataLoader, TensorDataset

from spotter.errors import UsageError, UserError
from spotter.training.callbacks.checkpoints import RunEarlyStopping
from spotter.training.callbacks.clock import CpuLimit
from spotter.training.callbacks.lookup import callback_of
from spotter.training.optimizer import schedule_factor
from spotter.training.trainer import Trainer, build_trainer, precision

QUIET: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
QUIET |= {"accelerator": "cpu", "enable_model_summary": False, "num_sanity_val_steps": 1}


class Module(pl.LightningModule):
    """Train nothing, and keep which epochs were validated."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.validated: list[int] = []
        self.sane = False

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return self.weight.sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        if self.trainer.sanity_checking:
            self.sane = True
        else:
            self.validated.append(self.current_epoch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def validated(epochs: int, **settings: Any) -> list[int]:
    """Return the epochs, counted from 0, that a fit of ``epochs`` validates."""
    data, module = DataLoader(TensorDataset(torch.zeros(1, 1))), Module()
    Trainer(max_epochs=epochs, **QUIET, **settings).fit(module, data, data)
    assert module.sane
    return module.validated


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"check_val_every_n_epoch": 2}, [1, 3, 4]),
        ({"check_val_every_n_epoch": 9}, [4]),
        ({"validate_after": 3}, [3, 4]),
        ({"validate_after": 1, "check_val_every_n_epoch": 2}, [1, 3, 4]),
        ({"validate_after": 2, "check_val_every_n_epoch": 2}, [3, 4]),
        ({"validate_after": 9}, [4]),
    ],
)
def test_validated_epochs(settings: dict[str, int], expected: list[int]) -> None:
    """Every n-th, except for the first ones, and always the last; the sanity check comes in any case."""
    assert validated(5, **settings) == expected


@pytest.mark.filterwarnings("ignore")
def test_cpu_seconds_end_training_and_the_weights_are_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of one second: of batches in threes the fifth is the last, in the middle of the second epoch."""
    now = itertools.count()
    monkeypatch.setattr(time, "process_time", lambda: next(now) / 3)  # asked thrice a batch
    seen: list[float] = []

    class Timed(Module):
        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            limit = callback_of(self.trainer, CpuLimit)
            assert limit is not None
            seen.append(limit.share)
            limit.expected_steps(len(seen) - 1)
            return super().training_step(batch, batch_idx)

    data, module = DataLoader(TensorDataset(torch.zeros(3, 1))), Timed()
    Trainer(max_epochs=1, max_cpu_seconds=5, check_val_every_n_epoch=9, **QUIET).fit(module, data, data)
    assert seen == sorted(seen)
    assert 4 <= len(seen) <= 6
    assert set(module.validated) == {module.current_epoch - 1} == {1}


@pytest.mark.filterwarnings("ignore")
def test_a_run_whose_cpu_seconds_are_used_trains_no_more(tmp_path: Path) -> None:
    data = DataLoader(TensorDataset(torch.zeros(3, 1)))
    trainer = Trainer(max_epochs=1, max_cpu_seconds=1e-6, **QUIET)
    trainer.fit(Module(), data, data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    resumed = Trainer(max_epochs=1, max_cpu_seconds=1e-6, **QUIET)
    resumed.fit(Module(), data, data, ckpt_path=tmp_path / "last.ckpt", weights_only=True)
    assert resumed.global_step == trainer.global_step == 1


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_early_stopping_has_ended_trains_no_more_under_a_limit_of_cpu_seconds() -> None:
    stopping = RunEarlyStopping(monitor="val/tight_map", patience=1, strict=False)
    stopping.wait_count, data = 1, DataLoader(TensorDataset(torch.zeros(3, 1)))
    trainer = Trainer(max_epochs=1, max_cpu_seconds=1, callbacks=[stopping], **QUIET)
    trainer.fit(Module(), data, data)
    assert trainer.global_step == 0


@pytest.mark.parametrize(("steps", "share"), [(0, 0.0), (10, 0.1), (50, 0.5), (100, 1.0)])
def test_a_schedule_follows_the_share_of_the_cpu_seconds(steps: int, share: float) -> None:
    limit = CpuLimit(8)
    limit.load_state_dict({"cpu_seconds": 8 * share})
    found = schedule_factor("linear", steps, limit.expected_steps(steps), 0.0, 0.0)
    assert found == pytest.approx(1 - share, abs=0.02)


def test_cpu_seconds_of_one_process_only() -> None:
    with pytest.raises(UserError, match=r"trainer.max_cpu_seconds: expected a number above 0, found 0"):
        CpuLimit(0)
    callbacks = {"average_map": {"_target_": "a.b"}}
    cfg = OmegaConf.create({"callbacks": callbacks, "trainer": {"max_cpu_seconds": 1}, "data": {"num_workers": 2}})
    with pytest.raises(UsageError, match=r"take data.num_workers=0"):
        build_trainer(cfg)
    with pytest.raises(UsageError, match=r"take trainer.devices=1"):
        CpuLimit(1).on_train_start(mock.Mock(world_size=2), Module())


def test_wrong_intervals() -> None:
    with pytest.raises(UserError, match=r"trainer\.check_val_every_n_epoch: expected a whole number of at least 1"):
        Trainer(check_val_every_n_epoch=0)
    with pytest.raises(UserError, match=r"trainer.validate_after: .* found 0.5"):
        Trainer(validate_after=0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("accelerator", "given", "capability", "expected"),
    [
        ("cpu", "auto", (9, 0), "32-true"),
        ("gpu", "auto", (9, 0), "bf16-mixed"),
        ("gpu", "auto", (8, 0), "bf16-mixed"),
        ("gpu", "auto", (7, 5), "16-mixed"),
        ("gpu", "auto", (7, 0), "16-mixed"),
        ("gpu", "auto", (6, 1), "32-true"),
        ("gpu", "16-mixed", (9, 0), "16-mixed"),
        ("cpu", "bf16-mixed", (6, 1), "bf16-mixed"),
    ],
)
def test_precision(accelerator: str, given: str, capability: tuple[int, int], expected: str) -> None:
    """Half precision is chosen where a GPU has it, not where it is emulated; what is given counts."""
    settings = OmegaConf.create({"accelerator": accelerator, "precision": given})

    def supported(including_emulation: bool = True) -> bool:
        return including_emulation or capability >= (8, 0)

    with (
        mock.patch.object(torch.cuda, "is_available", return_value=True),
        mock.patch.object(torch.cuda, "get_device_capability", return_value=capability),
        mock.patch.object(torch.cuda, "is_bf16_supported", supported),
    ):
        assert precision(settings) == expected


def test_what_is_monitored_may_be_typed_short() -> None:
    average_map = {"_target_": "spotter.training.callbacks.average_map.AverageMap"}
    stopping = {"_target_": "pytorch_lightning.callbacks.EarlyStopping", "monitor": "val/at_1"}
    trainer = {"_target_": "spotter.training.trainer.Trainer", "accelerator": "cpu", "precision": "32-true"}
    cfg = OmegaConf.create({"callbacks": {"average_map": average_map, "stop": stopping}, "trainer": trainer})
    (found,) = build_trainer(cfg).early_stopping_callbacks
    assert found.monitor == "val/map_at_1"


def test_products_of_float32_are_as_precise_as_the_trainer_says_on_a_gpu_alone() -> None:
    with mock.patch.object(torch, "set_float32_matmul_precision") as chosen:
        Trainer(accelerator="cpu", logger=False, matmul_precision="medium")
        chosen.assert_not_called()
        with mock.patch("spotter.training.trainer.CUDAAccelerator", CPUAccelerator):  # as if it were one
            Trainer(accelerator="cpu", logger=False, matmul_precision="medium")
        chosen.assert_called_once_with("medium")
    with pytest.raises(UserError, match=r"trainer\.matmul_precision: 'low' is unknown: give one of highest"):
        Trainer(accelerator="cpu", matmul_precision="low")
