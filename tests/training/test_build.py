"""Networks are built from what a file says, and nothing else is."""

from __future__ import annotations

import os

import pytest
from torch import nn

from spotter.errors import UserError
from spotter.training.build import build


def test_modules_are_built_with_given_and_known_arguments() -> None:
    """Arguments of the file and facts that are known meet in the constructor; the file's mapping stays as it was."""
    config = {"_target_": "torch.nn.Linear", "out_features": 3}
    layer = build(config, in_features=2)
    assert isinstance(layer, nn.Linear)
    assert (layer.in_features, layer.out_features) == (2, 3)
    assert config == {"_target_": "torch.nn.Linear", "out_features": 3}


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "subprocess.run", "builtins.eval", "torch.load", "torch.nn", "torch.nn.functional.relu", "os", "",
        "no.such.module", "torch.nn.NoSuch", ".", "torch..nn", "builtins.dict", "spotter.training.build.build",
    ],
)  # fmt: skip
def test_nothing_but_modules_is_called(target: str) -> None:
    """Functions, other classes and names that do not exist are refused by name."""
    with pytest.raises(UserError, match="_target_"):
        build({"_target_": target, "command": "exit 1"})


@pytest.mark.parametrize(
    "config", [{}, {"_target_": None}, {"_target_": 3}, {"_target_": "torch.nn.Linear"}, {"_target_": os.system}]
)
def test_wrong_configs(config: dict[str, object]) -> None:
    """A missing target and missing arguments are mistakes that are told."""
    with pytest.raises(UserError):
        build(config)
