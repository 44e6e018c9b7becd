"""Shifts stand where they belong in networks of every family, and ImageNet weights find their way around them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants as hub
from torch import nn

from spotter.errors import UserError
from spotter.models.blocks import backbones
from spotter.models.blocks.backbones import create, load_imagenet, plain_names, width_of
from spotter.models.blocks.shift import Frames, GatedShift, Shifted


def shifted(network: nn.Module) -> list[str]:
    return [path for path, module in network.named_modules() if isinstance(module, Shifted)]


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("regnety_002", 13, "s1.b1.conv1.conv"),
        ("resnet18", 8, "layer1.0.conv1"),
        ("resnet101", 18, "layer1.0.conv1"),
        ("convnext_atto", 12, "stages.0.blocks.0.conv_dw"),
        ("mobilenetv3_small_050", 12, "blocks.0.0.conv_dw"),
        ("tf_efficientnetv2_b0", 21, "blocks.0.0.conv"),
    ],
)
def test_every_block_is_shifted_before_its_first_convolution(name: str, count: int, first: str) -> None:
    with torch.device("meta"):
        network = create(name, "gsm", Frames())
    assert len(shifted(network)) == count, "in ResNets of 101 layers every second"
    assert shifted(network)[0] == first


@pytest.mark.parametrize("shift", ["gsm", "tsm", "tsm_block", "none"])
@pytest.mark.parametrize("name", ["resnet10t", "convnext_atto", "mobilenetv3_small_050"])
def test_frames_become_vectors(name: str, shift: str) -> None:
    frames = Frames()
    frames.count = 2
    network = create(name, shift, frames, drop_path_rate=0.1).eval()
    network.to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # ResNets start with blocks that do nothing
    x = torch.randn(4, 3, 32, 32)
    out = network(x)
    assert out.shape == (4, width_of(network))
    moved = (network(torch.cat([x[:3], x[:1]])) != out).any(1)
    assert moved.tolist() == [False, False, shift in ("tsm", "tsm_block"), True], "gates are closed at first"


def test_mistakes_are_named() -> None:
    for words, told in [
        (("regnet_002", "gsm"), "regnety_002"),
        (("resnet18", "gsn"), "gsm, gsf, tsm"),
        (("vit_tiny_patch16_224", "gsm"), "shift=none"),
    ]:
        with pytest.raises(UserError, match=told):
            create(*words, Frames())


def test_weights_of_another_codebase_come_in_its_order(tmp_path: Path) -> None:
    """With other names, as torchvision has for MobileNets; not where a shape differs."""
    torch.manual_seed(0)
    theirs = timm.create_model("mobilenetv3_small_050", num_classes=7).state_dict()
    path = tmp_path / "weights.pth"
    torch.save({f"part.{number}.{name[-6:]}": value for number, (name, value) in enumerate(theirs.items())}, path)
    network = create("mobilenetv3_small_050", "tsm", Frames())
    load_imagenet(network, "mobilenetv3_small_050", str(path))
    for here, plain in plain_names(network).items():
        assert torch.equal(network.state_dict()[here], theirs[plain]), plain
    with pytest.raises(UserError, match="not one of"):
        load_imagenet(create("mobilenetv3_small_075", "none", Frames()), "mobilenetv3_small_075", str(path))


@pytest.mark.parametrize("wrapping", ["none", "state_dict", "model", "module", "safetensors"])
def test_weights_of_a_file_pass_by_the_shifts(wrapping: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model("resnet10t", num_classes=7)
    state = theirs.state_dict()
    path = tmp_path / ("weights.safetensors" if wrapping == "safetensors" else "weights.pth")
    if wrapping == "safetensors":
        from safetensors.torch import save_file

        save_file(state, path)
    elif wrapping == "module":
        torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, path)
    else:
        torch.save(state if wrapping == "none" else {wrapping: state, "epoch": 3}, path)
    frames = Frames()
    frames.count = 2
    for shift in ("gsm", "tsm_block"):
        ours = create("resnet10t", shift, frames)
        with caplog.at_level(logging.INFO):
            load_imagenet(ours, "resnet10t", str(path))
        names = plain_names(ours)
        assert f"took {len(names)} of {len(names)} tensors" in caplog.text
        assert sorted(names.values()) == sorted(name for name in state if not name.startswith("fc."))
        assert all(torch.equal(ours.state_dict()[name], state[plain]) for name, plain in names.items())
    x = torch.randn(4, 3, 32, 32)
    gated = create("resnet10t", "gsm", frames)
    load_imagenet(gated, "resnet10t", str(path))
    pooled = theirs.eval().forward_head(theirs.forward_features(x), pre_logits=True)
    torch.testing.assert_close(gated.eval()(x), pooled)
    assert any(isinstance(module, GatedShift) for module in gated.modules())


def test_weights_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    network = create("resnet10t", "none", Frames())

    def fails(*said: str, content: Any = None, name: str = "w.pth") -> None:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            torch.save(content, path)
        with pytest.raises(UserError) as error:
            load_imagenet(network, "resnet10t", str(path))
        assert all(word in str(error.value) for word in ("model.weights", *said))

    fails("no file", name="missing.pth")
    fails("fits resnet10t", content={"conv1.weight": torch.ones(2)})
    fails("no tensors", content={"epoch": 3})
    fails("damaged", content=b"nothing")
    fails("safetensors", content=b"nothing", name="w.safetensors")


def test_without_a_network_one_line_names_both_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backbones, "reachable", lambda: False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"model\.pretrained=false .* or model\.weights=FILE"):
        load_imagenet(create("resnet10t", "none", Frames()), "resnet10t")
    assert not hub.HF_HUB_OFFLINE
