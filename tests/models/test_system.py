"""A system is one object: built from plain values, loaded with its weights, run without Lightning."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spotter.errors import UserError
from spotter.models.system import System, mean_outputs
from spotter.settings import ClipConfig
from spotter.tasks import Task
from spotter.types import Batch

FEATURES: dict[str, Any] = {
    "task": Task.load("soccernet-v2").to_dict(),
    "source": {"kind": "features", "streams": {"a": {"file": "a", "fps": 1, "width": 6}}},
    "network": {
        "_target_": "spotter.models.transformer.Transformer",
        "dim": 8, "layers": 1, "heads": 2, "feedforward": 16, "upsample": 2,
    },
    "head": {"_target_": "spotter.models.blocks.dense.DenseHead", "radius": 2.0, "displacement_radius": 6.0},
    "clips": {"clip_len": 8},
    "postprocess": {"method": "nms", "window": 5.0},
}  # fmt: skip
VIDEO: dict[str, Any] = {
    "task": Task.load("ball-2023").to_dict(),
    "source": {"kind": "video", "fps": 25, "size": [32, 48], "crop": None},
    "network": {"_target_": "spotter.models.e2e_spot.network.E2ESpot", "backbone": "resnet10t"},
    "head": {"_target_": "spotter.models.blocks.frame.FrameHead"},
    "clips": {"clip_len": 4},
    "postprocess": {"method": "nms", "window": 2.0},
}


def batch_of(inputs: dict[str, torch.Tensor], frames: int) -> Batch:
    count = len(next(iter(inputs.values())))
    zeros = torch.zeros(count, dtype=torch.int64)
    valid = torch.ones(count, frames, dtype=torch.bool)
    phase = {name: torch.zeros(count) for name in inputs}
    return Batch(inputs=inputs, phase=phase, valid=valid, targets={}, half=zeros, start=zeros)


def test_outputs_are_named_and_of_every_anchor() -> None:
    """Inputs travel as they are stored: half floats of features, bytes of images."""
    system = System.build(FEATURES).eval()
    found = system.outputs(batch_of({"a": torch.randn(2, 8, 6).half()}, 8))
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "logits": (2, 16, 17),
        "displacement": (2, 16, 17),
    }
    assert system.rate == 2.0
    system = System.build(VIDEO).eval()
    images = torch.randint(256, (2, 4, 32, 48, 3), dtype=torch.uint8)
    found = system.outputs(batch_of({"video": images}, 4))
    assert {name: tuple(value.shape) for name, value in found.items()} == {"logits": (2, 4, 2)}


@pytest.mark.parametrize("teams", [None, "joint", "head"])
def test_mirrored_images_give_the_other_sides(teams: str | None) -> None:
    """With ``clips.flip`` nothing but the sides changes where the images are mirrored; without it all does."""
    torch.manual_seed(0)
    task = Task.load("ball-2025" if teams else "ball-2023").to_dict()
    described = {**VIDEO, "task": task, "teams": teams, "clips": {"clip_len": 4, "flip": True}}
    system = System.build(described).eval()
    images = torch.randint(256, (2, 4, 32, 48, 3), dtype=torch.uint8)
    one, other = (system.outputs(batch_of({"video": each}, 4))["logits"] for each in (images, images.flip(3)))
    swapped = other.unflatten(-1, (-1, 2)).flip(-1).flatten(-2) if teams else other
    torch.testing.assert_close(one, swapped)
    assert teams is None or not torch.allclose(one, other)
    plain = dataclasses.replace(system, clips=ClipConfig(4))
    one, other = (plain.outputs(batch_of({"video": each}, 4))["logits"] for each in (images, images.flip(3)))
    assert not torch.allclose(one, other)


@given(st.lists(st.tuples(st.floats(-30, 30), st.floats(-30, 30)), min_size=1))
def test_confidences_of_both_images_are_averaged(logits: list[tuple[float, float]]) -> None:
    one, other = torch.tensor(logits, dtype=torch.float64).T
    mean = mean_outputs({"logits": one, "displacement": one}, {"logits": other, "displacement": other})
    torch.testing.assert_close(mean["logits"].sigmoid(), (one.sigmoid() + other.sigmoid()) / 2)
    torch.testing.assert_close(mean["displacement"], (one + other) / 2)


def test_features_cannot_be_mirrored() -> None:
    with pytest.raises(UserError, match=r"clips\.flip: mirrors images, but this model reads features"):
        System.build({**FEATURES, "clips": {"clip_len": 8, "flip": True}})


def test_a_checkpoint_is_a_system_with_its_weights() -> None:
    system = System.build(FEATURES)
    content = {"hyper_parameters": {**FEATURES, "optimizer": {"lr": 1.0}}, "state_dict": system.state_dict()}
    assert {name.partition(".")[0] for name in content["state_dict"]} == {"network", "head"}
    batch = batch_of({"a": torch.randn(1, 8, 6)}, 8)
    loaded = System.load(content)
    assert torch.equal(loaded.outputs(batch)["logits"], system.eval().outputs(batch)["logits"])
    missing = {**content, "state_dict": {k: v for k, v in content["state_dict"].items() if k != "head.rates"}}
    with pytest.raises(UserError, match=r"ckpt: .* do not fit .*head\.rates"):
        System.load(missing)
    with pytest.raises(UserError, match="ckpt: its weights and settings do not fit"):
        System.load({**content, "hyper_parameters": {}})
    halved = content["state_dict"] | {"head.rates": torch.full((17,), 1e6).half()}  # more than 16 bits hold
    with pytest.raises(UserError, match=r"ckpt: its weights head\.rates are not finite; take another checkpoint"):
        System.load({**content, "state_dict": halved})


def test_a_fused_system_gives_the_same_and_leaves_the_first_as_it_was() -> None:
    torch.manual_seed(0)
    system = System.build(VIDEO).eval()
    before = copy.deepcopy(system.state_dict())
    batch = batch_of({"video": torch.randint(256, (1, 4, 32, 48, 3), dtype=torch.uint8)}, 4)
    expected, found = system.outputs(batch)["logits"], system.fused().outputs(batch)["logits"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in system.state_dict().items())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("clips", {"clip_len": 0}, "clip_len"),
        ("postprocess", {"method": "max", "window": 1}, "'max' is unknown"),
        ("head", {"_target_": "spotter.models.linear.PerFrame"}, "is no head"),
        ("source", VIDEO["source"], "its network reads features, but the data is video"),
    ],
)
def test_wrong_parts_are_named(key: str, value: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        System.build({**FEATURES, key: value})


@pytest.mark.parametrize(("description", "frames"), [(FEATURES, 8), (VIDEO, 4)])
def test_heads_compute_in_single_precision_whatever_the_network_does(description: dict[str, Any], frames: int) -> None:
    """Of scores with 8 bits, neighbours become equal, and suppression would drop one by chance."""
    system = System.build(description).eval()
    shape = (1, frames, 6) if description is FEATURES else (1, frames, 32, 48, 3)
    inputs = torch.randint(255, shape, dtype=torch.uint8)
    batch = batch_of({"a" if description is FEATURES else "video": inputs}, frames)
    seen: list[torch.dtype] = []
    for layer in system.head.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.register_forward_hook(lambda _, given, made: seen.extend((given[0].dtype, made.dtype)))
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        system.outputs(batch)
    assert set(seen) == {torch.float32}
