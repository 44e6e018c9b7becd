"""No step waits for a device. Meta tensors stand for it: they have no numbers, so asking for one is an error."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from unittest import mock

import pytest
import torch
from gpu_examples import EXAMPLES
from gpu_parts import build, evaluation_batch, training_batch

from spotter.data.mixup import send
from spotter.inference.engine import to_device

META, CUDA = torch.device("meta"), torch.device("cuda")


@pytest.fixture(autouse=True)
def _no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # knows no meta tensors


@pytest.mark.parametrize("name", EXAMPLES)
def test_training_and_evaluation_ask_for_no_number(name: str) -> None:
    module, data = build(name, batches=1)
    module.to(META)
    batch = training_batch(data, META)
    module.losses(batch)["loss"].backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
    evaluated = module.eval().evaluate(evaluation_batch(data, META))
    assert {tensor.device.type for tensor in evaluated["outputs"].values()} == {"meta"}
    assert batch["half"].device.type == batch["start"].device.type == "cpu"


def test_copies_to_a_gpu_are_not_waited_for() -> None:
    def tensor() -> Any:
        return mock.Mock(spec=torch.Tensor)

    draws = tensor()
    send(draws, CUDA)
    draws.pin_memory.return_value.to.assert_called_once_with(CUDA, non_blocking=True)

    def clips() -> Any:
        parts = {key: {"a": tensor()} for key in ("inputs", "phase", "targets")}
        return {**parts, "valid": tensor(), "half": tensor(), "start": tensor()}

    batch, other = clips(), clips()  # the second of another label set
    to_device({**batch, "others": {"more": other}}, CUDA)
    for each in (batch, other):
        for moved in (each["valid"], *(each[key]["a"] for key in ("inputs", "phase", "targets"))):
            moved.to.assert_called_once_with(CUDA, non_blocking=True)
        for stays in (each["half"], each["start"]):
            stays.to.assert_not_called()
