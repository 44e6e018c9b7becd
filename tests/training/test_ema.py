"""Averaged weights: their formula, the numbers that Lightning's callback had, on the device, and never waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor, nn
from torch.utils.data import DataLoader

from spotter.errors import UserError
from spotter.training.callbacks.ema import Ema


class Host(pl.LightningModule):
    """Fit random numbers."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).to(device)

    def training_step(self, rows: Tensor, batch_idx: int) -> Tensor:
        return (self.layers(rows) ** 2).mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(folder: Path, callbacks: list[pl.Callback], epochs: int = 3, ckpt: Path | None = None) -> Host:
    torch.manual_seed(0)
    host, rows = Host(), torch.randn(40, 3)
    trainer = pl.Trainer(
        default_root_dir=folder,
        callbacks=callbacks,
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(host, DataLoader(rows, batch_size=8), ckpt_path=ckpt, weights_only=True)
    return host


def as_lightning(decay: float) -> WeightAveraging:
    """Return Lightning's callback with our decay."""

    def average(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        for old, new in zip(averaged, current, strict=True):
            kept = min(decay, (1 + float(count)) / (10 + float(count)))
            old.copy_(old.lerp(new, 1 - kept) if old.is_floating_point() else new)

    return WeightAveraging(multi_avg_fn=average)


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(UserError, match=r"callbacks\.ema\.decay"):
        Ema(decay)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
def test_the_average_follows_its_formula(decay: float) -> None:
    """The n-th average keeps at most (1 + n) / (10 + n); buffers that are no floats are copied."""
    host, ema = Host(), Ema(decay)
    norm = host.layers[1]
    ema.on_fit_start(mock.Mock(), host)
    expected = None
    for step in range(6):
        with torch.no_grad():
            norm.weight.fill_(float(step**2))
            norm.num_batches_tracked += 1
        ema.update()
        kept = min(decay, (1 + step) / (10 + step))
        expected = float(step**2) if expected is None else kept * expected + (1 - kept) * step**2
        assert ema.average["layers.1.weight"].tolist() == pytest.approx([expected] * 4)
        assert int(ema.average["layers.1.num_batches_tracked"]) == step + 1


def test_numbers_are_those_of_lightning_to_the_bit(tmp_path: Path) -> None:
    ours, theirs = fit(tmp_path, [Ema(0.9)]).state_dict(), fit(tmp_path, [as_lightning(0.9)]).state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_resumed_average_goes_on(tmp_path: Path) -> None:
    class Save(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            if trainer.current_epoch == 1:
                trainer.save_checkpoint(tmp_path / "second.ckpt")

    whole = fit(tmp_path, [Ema(0.9), Save()], 4).state_dict()
    resumed = fit(tmp_path, [Ema(0.9)], 4, tmp_path / "second.ckpt").state_dict()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_the_average_lies_on_the_device_and_nothing_waits_for_it() -> None:
    """A meta tensor has no numbers: whoever asks for one, as a wait for a device does, gets an error."""
    host, ema = Host("meta"), Ema(0.9)
    ema.on_fit_start(mock.Mock(), host)
    for _ in range(3):
        ema.update()
    ema.on_validation_epoch_start(mock.Mock(), host)
    ema.on_validation_epoch_end(mock.Mock(), host)
    assert {tensor.device.type for tensor in ema.average.values()} == {"meta"}
