"""Stage one: windows within a clip say what each says alone, and learn the spot nearest to their middle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.clip_classifier.divided import DividedTransformer
from spotter.models.clip_classifier.head import ClipHead, ClipTargets
from spotter.models.clip_classifier.network import ShiftedClips
from spotter.types import Batch, ClipFrames, Spots

LAYOUT: Any = {"video": {"fps": 3.0, "height": 30, "width": 40, "channels": 3}}


def made(kind: str, window: int = 6) -> Network:
    torch.manual_seed(0)
    if kind == "divided":
        network: Network = DividedTransformer(LAYOUT, window, 24, 2, 2, at_once=5)
        for block in network.blocks:  # as if it had learned to look at other frames
            nn.init.normal_(block.time_out.weight)  # type: ignore[union-attr]
        return network.eval()
    network = ShiftedClips(LAYOUT, window, "resnet10t", shift="none")
    nn.init.normal_(network.mean.weight)
    return network.eval()


@pytest.mark.parametrize("kind", ["divided", "shifted"])
@torch.no_grad()
def test_a_window_within_a_clip_says_what_it_says_alone(kind: str) -> None:
    network, video, valid = made(kind), torch.rand(2, 14, 3, 30, 40), torch.ones(2, 14, dtype=torch.bool)
    slid = network({"video": video}, {}, valid)
    assert slid.shape == (2, 14, network.width)
    for middle in (3, 7, 11):
        alone = network({"video": video[:, middle - 3 : middle + 3]}, {}, valid[:, :6])
        torch.testing.assert_close(alone[:, 0], slid[:, middle], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(slid[:, 5], slid[:, 7], rtol=1e-2), "the order of frames is seen"


@pytest.mark.parametrize("kind", ["divided", "shifted"])
@torch.no_grad()
def test_frames_outside_the_half_are_its_edges(kind: str) -> None:
    network, video = made(kind), torch.rand(1, 14, 3, 30, 40)
    inside = torch.arange(14)[None] >= 4
    repeated = torch.where(inside[..., None, None, None], video, video[:, 4:5])
    video[~inside] = 0
    slid = network({"video": video}, {}, inside)
    torch.testing.assert_close(slid[:, 4:], network({"video": repeated}, {}, torch.ones_like(inside))[:, 4:])


def test_the_published_transformer_has_as_many_parameters() -> None:
    layout: Any = {"video": {"fps": 3.0, "height": 224, "width": 224, "channels": 3}}
    with torch.device("meta"):
        network = DividedTransformer(layout, 16)
        head = ClipHead(network.width, 17, 16)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert (count, sum(parameter.numel() for parameter in head.parameters())) == (121_209_600, 27_684)


@torch.no_grad()
def test_from_imagenet_a_still_clip_looks_as_its_image_does(tmp_path: Any) -> None:
    """Until it learns to look at other frames; the bias of queries alone has no place here."""
    torch.manual_seed(0)
    theirs = timm.create_model("vit_tiny_patch16_224", img_size=(32, 48), depth=2, num_classes=0).eval()
    for name, parameter in theirs.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
        if name.endswith("qkv.bias"):
            parameter[:192] = 0
    save_file(theirs.state_dict(), tmp_path / "vit.safetensors")
    network = DividedTransformer(LAYOUT, 3, 192, 2, 3).eval()
    network.load_imagenet(str(tmp_path / "vit.safetensors"))
    nn.init.zeros_(network.blocks[0].time_out.weight)  # type: ignore[union-attr, arg-type]
    nn.init.zeros_(network.blocks[0].time_out.bias)  # type: ignore[union-attr, arg-type]
    image = nn.functional.pad(torch.rand(1, 3, 30, 40), (4, 4, 1, 1))
    seen = network({"video": image[:, None].expand(-1, 3, -1, -1, -1)}, {}, torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(seen[:, 0], theirs.forward_features(image)[:, 0], rtol=1e-4, atol=1e-4)
    with pytest.raises(UserError, match="no vision transformer of width 24"):
        made("divided").load_imagenet()
    with pytest.raises(UserError, match="do not fit this transformer"):
        made("divided").load_imagenet(str(tmp_path / "vit.safetensors"))


def test_what_it_cannot_read_is_named() -> None:
    with pytest.raises(UserError, match="in colour"):
        DividedTransformer({"video": {"height": 32, "width": 32, "channels": 1}}, 6)


@given(
    times=st.lists(st.floats(0, 20, allow_nan=False), max_size=6),
    start=st.integers(-8, 55),
    window=st.sampled_from([1, 5, 8]),
    length=st.sampled_from([1, 12]),
)
def test_the_class_is_that_of_the_spot_nearest_to_the_middle(
    times: list[float], start: int, window: int, length: int
) -> None:
    count = 1 if length == 1 else 12
    frames = ClipFrames(start, window if length == 1 else 12, 3.0, 0.25)
    labels = np.arange(len(times))
    made = ClipTargets(6, window)(Spots(labels, np.array(times), np.ones(len(times), bool)), frames)
    assert (made["classes"].shape, made["time"].shape) == ((count, 7), (count,))
    assert (made["classes"].sum(1) == 1).all()
    first = start if length == 1 else start - window // 2
    for row in range(count):
        at = (np.array(times) - 0.25) * 3 - (first + row) + (0.5 if window % 2 else 0)
        inside = (at >= 0) & (at < window)
        label = int(made["classes"][row].argmax())
        assert (label > 0) == inside.any()
        if label:
            assert inside[label - 1]
            assert abs(at[label - 1] - window / 2) == np.abs(at[inside] - window / 2).min()
            assert 0 <= made["time"][row] <= 1
            assert made["time"][row] * window == pytest.approx(at[label - 1], abs=1e-4)


def batch_of(spots: Spots, frames: ClipFrames, head: ClipHead) -> Batch:
    targets = {key: torch.from_numpy(value)[None] for key, value in head.targets(spots, frames).items()}
    return Batch(  # type: ignore[typeddict-item]
        targets=targets, valid=torch.ones(1, frames.length, dtype=torch.bool)
    )


def test_anchors_are_moved_to_where_the_spot_lies() -> None:
    """A head that says what its targets say moves the windows around a spot to it, whichever their frame."""
    head, spots = ClipHead(4, 2, 6), Spots(np.array([1]), np.array([4.1]), np.ones(1, bool))
    batch = batch_of(spots, ClipFrames(0, 20, 2.0), head)
    time = batch["targets"]["time"][..., None].expand(-1, -1, 3).clamp(1e-6, 1 - 1e-6).logit()
    output = {"logits": 20 * batch["targets"]["classes"], "time": time}
    found = head.predict(output)  # type: ignore[arg-type]
    shows = found["logits"][0, :, 1] > 0
    assert shows.sum() == 6
    moved = (torch.arange(20) + found["displacement"][0, :, 1])[shows] / 2
    assert moved.numpy() == pytest.approx(np.full(6, 4.1), abs=1e-4)
    losses = head.loss(output, batch)  # type: ignore[arg-type]
    assert losses["time"] < 1e-6
    assert losses["clip_accuracy"] == 1


def test_background_learns_no_time() -> None:
    head = ClipHead(4, 2, 6)
    tokens = torch.randn(1, 20, 4)
    background = batch_of(Spots.empty(), ClipFrames(0, 20, 2.0), head)
    losses = head.loss(head(tokens), background)
    assert losses["time"] == 0
    losses["loss"].backward()
    assert not head.time.weight.grad.any()  # type: ignore[union-attr]
    assert torch.equal(losses["loss"], losses["classes"])
    without = ClipHead(4, 2, 6, time_weight=0.0)
    assert without.time is None
    assert set(without.predict(without(tokens))) == {"logits"}
    assert set(without.loss(without(tokens), background)) == {"loss", "clip_accuracy"}
