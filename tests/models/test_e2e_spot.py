"""The network of video: sizes as published, clips of any length, any head after it, and a fused copy."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from spotter.errors import UserError
from spotter.models.blocks.dense import DenseHead
from spotter.models.blocks.frame import FrameHead
from spotter.models.e2e_spot.network import E2ESpot
from spotter.models.e2e_spot.temporal import TEMPORAL
from spotter.types import Batch
from tests.helpers.networks import both

LAYOUT: dict[str, Any] = {"video": {"fps": 2.0, "height": 32, "width": 32}}
K = 17


def spot(temporal: str = "gru", backbone: str = "resnet10t", shift: str = "gsm", classes: int = 3) -> E2ESpot:
    torch.manual_seed(0)
    return E2ESpot(LAYOUT, classes, backbone=backbone, shift=shift, temporal=temporal)


def run(network: nn.Module, frames: int = 5, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    pictures = torch.randn(2, frames, 32, 32, 3).permute(0, 1, 4, 2, 3)
    return network({"video": pictures}, {}, torch.ones(2, frames, dtype=torch.bool))


@pytest.mark.parametrize(
    ("backbone", "shift", "temporal", "parameters"),
    [
        ("regnety_002", "gsm", "gru", 4_458_368),
        ("regnety_002", "gsm", "deeper_gru", 9_342_464),
        ("regnety_002", "gsm", "mstcn", 6_873_508),
        ("regnety_002", "gsm", "asformer", 3_344_822),
        ("regnety_002", "gsm", "none", 2_822_240),
        ("regnety_008", "gsm", "gru", 12_636_574),
        ("regnety_002", "tsm", "gru", 4_436_766),
    ],
)
def test_sizes_are_the_published_ones(backbone: str, shift: str, temporal: str, parameters: int) -> None:
    with torch.device("meta"):
        network = spot(temporal, backbone, shift, K)
        head = FrameHead(network.width, K)
    assert sum(each.numel() for part in (network, head) for each in part.parameters()) == parameters


@pytest.mark.parametrize(
    ("backbone", "shift", "parameters"),
    [
        ("resnet18", "gsm", 11_187_200),
        ("resnet18", "tsm", 11_176_512),
        ("resnet50", "gsm", 23_603_184),
        ("convnext_tiny", "gsm", 27_868_188),
        ("convnext_tiny", "tsm", 27_820_128),
        ("regnety_002", "tsm", 2_793_996),
    ],
)
def test_backbones_have_their_published_size(backbone: str, shift: str, parameters: int) -> None:
    with torch.device("meta"):
        network = spot("none", backbone, shift)
    assert sum(each.numel() for each in network.parameters()) == parameters


@pytest.mark.parametrize("temporal", TEMPORAL)
def test_clips_may_be_of_any_length_and_are_trained_through(temporal: str) -> None:
    network = spot(temporal)
    stages = {"mstcn": 3, "asformer": 4}.get(temporal)
    for frames in (5, 2, 33):
        shape = (2, frames, network.width) if stages is None else (stages, 2, frames, 4)
        assert run(network, frames).shape == shape
    assert (network.width == 0) == (stages is not None)
    head = FrameHead(network.width, 3)
    output = head(run(network.train()))
    target = torch.eye(4)[torch.randint(4, (2, 5))]
    batch = Batch(inputs={}, phase={}, valid=torch.ones(2, 5, dtype=torch.bool), targets={"classes": target})  # type: ignore[typeddict-item]
    head.loss(output, batch)["loss"].backward()
    assert all(each.grad is not None for part in (network, head) for each in part.parameters())
    logits, displacement = both(head.predict(output))
    assert (logits.shape, displacement) == ((2, 5, 3), None)


def test_a_clip_knows_only_itself_and_neighbours_in_time() -> None:
    network = spot("none", shift="tsm").eval()
    out = run(network)
    torch.manual_seed(0)
    pictures = torch.randn(2, 5, 32, 32, 3).permute(0, 1, 4, 2, 3)
    pictures[1] = 0
    changed = network({"video": pictures}, {}, torch.ones(2, 5, dtype=torch.bool)) != out
    assert changed.flatten(1).any(1).tolist() == [False, True]


def test_what_does_not_fit_together_is_said() -> None:
    with pytest.raises(UserError, match="gru, deeper_gru"):
        spot("lstm")
    with pytest.raises(UserError, match="video"):
        E2ESpot({"baidu": {}}, 3, backbone="resnet10t")
    with pytest.raises(UserError, match="mstcn and asformer end in class scores"):
        DenseHead(spot("mstcn").width, 3, 2.0, 4.0)


@pytest.mark.parametrize("shift", ["gsm", "tsm", "tsm_block", "none"])
@pytest.mark.parametrize("backbone", ["regnety_002", "resnet18", "convnext_atto", "mobilenetv3_small_050"])
def test_a_fused_network_gives_the_same(backbone: str, shift: str) -> None:
    network = spot("gru", backbone, shift)
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    quick = fused(network)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(isinstance(module, _BatchNorm) for module in quick.modules()) or shift == "gsm"
    with torch.no_grad():
        expected = run(network.eval())
        torch.testing.assert_close(run(quick), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backbone", ["regnety_002", "resnet18"])
def test_sums_and_relus_of_residual_blocks_are_fused_too(backbone: str) -> None:
    network = spot("gru", backbone, "gsm")
    quick = fused(network)
    called = [type(module).__name__ for module in quick.backbone.modules()]
    assert "ReLU" not in called, "each stands after a convolution"
    assert not any(node.name.startswith("add") for node in quick.backbone.graph.nodes)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):  # where oneDNN's operator is not used
        torch.testing.assert_close(run(quick).float(), run(network.eval()).float(), rtol=0, atol=0.1)


def fused(network: E2ESpot) -> E2ESpot:
    copied = copy.deepcopy(network).eval()
    copied.fuse_batchnorm()
    return copied
