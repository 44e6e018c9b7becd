"""Networks are built from what a file says, and nothing is imported that is not trusted."""

from __future__ import annotations

import os
import sys

import pytest
from torch import nn

from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks.frame import FrameHead
from spotter.models.build import build, build_head, build_network
from tests.helpers.networks import LAYOUT

TORCH = ("torch",)


class Plain(nn.Module):
    """A network as version 0.1 asked for: a width, and no more."""

    def __init__(self, layout: object, upsample: int = 1) -> None:
        super().__init__()
        self.width = 3
        self.mix = nn.Linear(2, 3)


def test_modules_are_built_with_given_and_known_arguments() -> None:
    """Arguments of the file and facts that are named meet in the constructor; the file's mapping stays as it was."""
    config = {"_target_": "torch.nn.Linear", "out_features": 3}
    layer = build(config, TORCH, in_features=2, classes=17)
    assert isinstance(layer, nn.Linear)
    assert (layer.in_features, layer.out_features) == (2, 3)
    assert config == {"_target_": "torch.nn.Linear", "out_features": 3}


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "subprocess.run", "builtins.eval", "torch.load", "torch.nn", "torch.nn.functional.relu", "os", "",
        "no.such.module", "torch.nn.NoSuch", ".", "torch..nn", "builtins.dict", "spotter.models.build.build",
    ],
)  # fmt: skip
@pytest.mark.parametrize("trusted", [(), ("os", "subprocess", "builtins", "torch", "no", "spotter")])
def test_nothing_but_modules_is_called(target: str, trusted: tuple[str, ...]) -> None:
    """Functions, other classes and names that do not exist are refused by name, even of trusted modules."""
    with pytest.raises(UserError, match="_target_"):
        build({"_target_": target, "command": "exit 1"}, trusted)


@pytest.mark.parametrize("target", ["antigravity.Network", "spotter_other.Network", "spotter.models_of_mine.Network"])
def test_what_is_not_trusted_is_not_even_imported(target: str) -> None:
    """A file cannot make spotter run a module by naming it; the message says what to give."""
    with pytest.raises(UserError, match=rf"not of spotter; .* trust={target.rpartition('.')[0]}"):
        build({"_target_": target}, ("antigrav", "spotter_othe"))
    assert target.rpartition(".")[0] not in sys.modules


@pytest.mark.parametrize(
    "config", [{}, {"_target_": None}, {"_target_": 3}, {"_target_": "torch.nn.Linear"}, {"_target_": os.system}]
)
def test_wrong_configs(config: dict[str, object]) -> None:
    """A missing target and missing arguments are mistakes that are told."""
    with pytest.raises(UserError):
        build(config, TORCH)


@pytest.mark.parametrize(("config", "upsample"), [({}, 1), ({"upsample": 2}, 2)])
def test_a_plain_module_with_a_width_is_a_network(config: dict[str, int], upsample: int) -> None:
    """What version 0.1 asked of a network is enough; it reads features."""
    found = build_network({"_target_": f"{__name__}.Plain", **config}, "features", LAYOUT, 3, [__name__])
    assert isinstance(found, Plain)
    assert isinstance(found, Network)
    assert list(found.state_dict()) == ["mix.weight", "mix.bias"]  # a checkpoint of it stays readable
    assert found.upsample == upsample
    with pytest.raises(UserError, match="reads features, but the data is video"):
        build_network({"_target_": f"{__name__}.Plain"}, "video", LAYOUT, 3, [__name__])


def test_what_is_no_network_and_no_head_is_named() -> None:
    with pytest.raises(UserError, match="no width"):
        build_network({"_target_": "torch.nn.Identity"}, "features", LAYOUT, 3, TORCH)
    network = build_network({"_target_": f"{__name__}.Plain"}, "features", LAYOUT, 3, [__name__])
    with pytest.raises(UserError, match="is no head"):
        build_head({"_target_": "torch.nn.Identity"}, network, 3, 1.0, TORCH)
    assert isinstance(build_head({"_target_": "spotter.models.blocks.frame.FrameHead"}, network, 3, 1.0), FrameHead)
