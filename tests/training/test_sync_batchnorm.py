"""Synchronised batch norms: all of a network's become one, and it computes what it did, activations included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from spotter.errors import UserError
from spotter.models.baikulov.network import Baikulov
from spotter.models.base import Network
from spotter.models.e2e_spot.network import E2ESpot
from spotter.models.t_deed.network import TDeed
from spotter.training.sync_batchnorm import SyncBatchNorm
from spotter.training.trainer import Trainer

SIZE = 32


def layout(channels: int = 3) -> Any:
    return {"video": {"fps": 5.0, "height": SIZE, "width": SIZE, "channels": channels}}


def made(name: str) -> tuple[Network, int]:
    if name == "e2e_spot":
        return E2ESpot(layout(), classes=2, backbone="regnety_002", shift="gsm"), 3
    if name == "t_deed":
        return TDeed(layout(), 9, "resnet10t", layers=1, kernel=3), 3
    return Baikulov(layout(1), 9, 1, "resnet10t", blocks=1, dim=8), 1


@pytest.mark.parametrize("name", ["e2e_spot", "t_deed", "baikulov"])
def test_a_network_computes_the_same(name: str) -> None:
    """On one device; without torch.distributed, synchronised batch norms are such."""
    torch.manual_seed(0)
    network, channels = made(name)
    video, valid = torch.randn(2, 9, channels, SIZE, SIZE), torch.ones(2, 9, dtype=torch.bool)
    norms = [path for path, module in network.named_modules() if isinstance(module, _BatchNorm)]
    before = network.eval()({"video": video}, {}, valid)
    names = list(network.state_dict())
    converted = SyncBatchNorm().apply(network)
    assert norms
    assert converted is network
    assert list(network.state_dict()) == names
    assert all(isinstance(network.get_submodule(path), nn.SyncBatchNorm) for path in norms)
    torch.testing.assert_close(network({"video": video}, {}, valid), before)
    assert SyncBatchNorm().revert(network) is network


def test_it_is_refused_where_torch_has_none() -> None:
    with pytest.raises(UserError, match=r"^trainer\.sync_batchnorm: torch has it for GPUs alone"):
        Trainer(accelerator="cpu", devices=2, strategy="ddp", sync_batchnorm=True, logger=False)


def test_lightning_is_given_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.training.trainer.CUDAAccelerator", CPUAccelerator)  # as if it were one
    trainer = Trainer(accelerator="cpu", devices=2, strategy="ddp", sync_batchnorm=True, logger=False)
    assert isinstance(trainer.strategy._layer_sync, SyncBatchNorm)
    assert Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False).strategy._layer_sync is None
    Trainer(accelerator="cpu", sync_batchnorm=True, logger=False)  # one device needs none
