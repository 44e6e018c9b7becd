"""Images on the device: normalised alike in training and evaluation, changed clip by clip, by the given draw only."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from spotter.data.images import UNCHANGED, ImageTransform
from spotter.errors import UserError

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
ALL: dict[str, Any] = {
    "flip": 0.5, "jitter": 0.5, "hue": [-0.2, 0.2], "saturation": [0.7, 1.2],
    "brightness": [0.7, 1.2], "contrast": [0.7, 1.2], "blur": [0.1, 2.0],
}  # fmt: skip


def video(clips: int = 2, frames: int = 4) -> Tensor:
    return torch.randint(256, (clips, frames, 12, 20, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


def everywhere(x: Tensor) -> Tensor:
    return torch.ones(x.shape[:2], dtype=torch.bool)


def test_evaluation_normalises_and_nothing_else() -> None:
    """By hand, whatever augmentation is set; in memory the colours stay last."""
    x = video()
    seen = ImageTransform(MEAN, STD, ALL).eval()(x, everywhere(x))[0]
    by_hand = (x.permute(0, 1, 4, 2, 3) / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    torch.testing.assert_close(seen, by_hand)
    assert seen.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("training", [True, False])
def test_no_frame_is_grey(training: bool) -> None:
    """Outside the half an image is 0, which is the mean, in training as in evaluation."""
    x = video()
    valid = everywhere(x)
    valid[0, :2] = valid[1, 3] = False
    seen = ImageTransform(MEAN, STD, ALL).train(training)(x, valid)[0]
    assert (seen[~valid] == 0).all()
    assert (seen[valid] != 0).any(dim=(1, 2, 3)).all()


def test_one_draw_a_clip() -> None:
    """All frames of a clip are changed alike, clips differently, and the same seed gives the same images."""
    still = video(1, 1).expand(8, 5, -1, -1, -1).contiguous()
    images = ImageTransform(MEAN, STD, {**ALL, "jitter": 1.0})
    torch.manual_seed(5)
    seen, _ = images(still, everywhere(still))
    torch.testing.assert_close(seen, seen[:, :1].expand_as(seen))
    assert len({round(float(clip.sum()), 2) for clip in seen}) == 8
    torch.manual_seed(5)
    torch.testing.assert_close(images(still, everywhere(still))[0], seen, rtol=0, atol=0)


def test_draws_do_not_depend_on_the_settings() -> None:
    """What comes after, such as mixup and dropout, is drawn alike with and without augmentation."""
    x = video()
    states = []
    for augment in (None, ALL, {"flip": 1.0}):
        torch.manual_seed(1)
        ImageTransform(MEAN, STD, augment)(x, everywhere(x))
        states.append(torch.rand(1).item())
    assert len(set(states)) == 1


@pytest.mark.parametrize("key", list(UNCHANGED))
def test_each_change_alone(key: str) -> None:
    """Every setting does something by itself, and what it does is what its name says."""
    x = video(1)
    strong = {"flip": 1.0, "jitter": 0.0} if key in ("flip", "jitter") else {"jitter": 1.0}
    ranges = {"hue": [0.25, 0.25], "saturation": [0.0, 0.0], "brightness": [0.5, 0.5], "contrast": [0.0, 0.0]}
    ranges["blur"] = [2.0, 2.0]
    if key in ranges:
        strong[key] = ranges[key]  # type: ignore[assignment]
    seen = ImageTransform([0, 0, 0], [1, 1, 1], strong)(x, everywhere(x))[0][0]  # (T, 3, H, W)
    before = x[0].permute(0, 3, 1, 2) / 255
    if key in ("flip", "jitter"):
        torch.testing.assert_close(seen, before.flip(-1))
    elif key == "brightness":
        torch.testing.assert_close(seen, before / 2)
    elif key == "saturation":
        torch.testing.assert_close(seen[:, 0], seen[:, 1])
    elif key == "contrast":
        assert seen.flatten(1).std(1).max() < 1e-4
    elif key == "hue":
        torch.testing.assert_close(seen.amax(1), before.amax(1))
        assert (seen - before).abs().max() > 0.1
    else:
        assert seen.std() < 0.7 * before.std()


def test_unknown_setting_is_named() -> None:
    with pytest.raises(UserError, match=r"model\.augment\.colour: unknown; its keys are flip"):
        ImageTransform(MEAN, STD, {"colour": 1})


def test_half_precision_changes_no_image() -> None:
    x = video()
    images = ImageTransform(MEAN, STD, {**ALL, "jitter": 1.0})
    torch.manual_seed(5)
    expected, _ = images(x, everywhere(x))
    torch.manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16):
        seen, _ = images(x, everywhere(x))
    assert seen.dtype == torch.float32
    torch.testing.assert_close(seen, expected, rtol=0, atol=0)


class Allocations(TorchDispatchMode):
    """Count the tensors of at least ``size`` numbers that are made."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size, self.made = size, set[int]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        known = {each.untyped_storage().data_ptr() for each in args if isinstance(each, Tensor)}
        if isinstance(out, Tensor) and out.numel() >= self.size and out.untyped_storage().data_ptr() not in known:
            self.made.add(out.untyped_storage().data_ptr())
        return out


@pytest.mark.parametrize("training", [True, False])
def test_a_batch_of_images_is_copied_once(training: bool) -> None:
    """A batch of E2E-Spot has 0.9 GB as floats."""
    x = video(3)
    valid, images = everywhere(x), ImageTransform(MEAN, STD, {**ALL, "jitter": 1.0}).train(training)
    with Allocations(x.numel()) as counted:
        images(x, valid)
    assert len(counted.made) == 1
