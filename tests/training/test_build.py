"""The flat keys of a model config become the arguments of the module."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
import timm

from spotter.errors import UserError
from spotter.training.build import module_arguments
from spotter.training.optimizer import OptimizerConfig
from tests.conftest import call

MODEL = {"network": {"_target_": "n"}, "head": {"_target_": "h"}, "clips": {}, "postprocess": {}}


def test_keys_are_grouped() -> None:
    flat = {"lr": 1e-3, "sam": None, "mixup": None, "augment": {"swap": 0.3}, "init_from": None, "compile": False}
    assert module_arguments({**MODEL, **flat}) == {
        **MODEL,
        "optimizer": {"lr": 1e-3, "sam": None},
        "augmentation": {"augment": {"swap": 0.3}},
    }
    assert module_arguments(MODEL)["augmentation"] is None


def test_a_key_that_nothing_reads_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.lrate: unknown; its keys are network"):
        module_arguments({**MODEL, "lrate": 1.0})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lr", -1), ("lr", "fast"), ("lr", True), ("weight_decay", float("inf")), ("sam", -0.1), ("schedule", "step"),
        ("plateau", {"patience": -1}), ("plateau", {"factor": 1}), ("plateau", {"threshold": 1}), ("momentum", 0.9),
    ],
)  # fmt: skip
def test_wrong_optimizer_keys_are_named(key: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"model\.{key}"):
        OptimizerConfig.load({key: value})


def test_a_wrong_root_shows_before_weights_are_fetched(tmp_path: Path) -> None:
    with mock.patch.object(timm, "create_model", side_effect=AssertionError("the network is built")):
        called = call("train.py", "model=e2e_spot", "data=ball", f"data.root={tmp_path / 'none'}", cwd=tmp_path)
    assert (called.status, "data.root: no folder" in called.err) == (1, True), called.err
