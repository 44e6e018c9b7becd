"""Grey images are the brightness of the coloured ones, from videos and JPEG files alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import simplejpeg
import torch

from spotter.data.images import ImageTransform
from spotter.data.source import ImageSpec, InputSpec
from spotter.data.video.source import VideoSource
from spotter.types import Clip, Half
from tests.helpers.videos import write_video

HALF = Half("match", 1)
LUMA = np.array([0.299, 0.587, 0.114])


def read(path: Path, grey: bool, **crop: list[int]) -> np.ndarray:
    source = VideoSource(5, (32, 48), grey=grey, files={HALF: path}, **crop)  # type: ignore[arg-type]
    assert source.spec.layout["video"]["channels"] == (1 if grey else 3)
    inputs, _ = source.read([HALF], [Clip(0, -1)], 4)
    return inputs["video"][0].numpy()


def test_they_are_the_brightness_of_coloured_ones(tmp_path: Path) -> None:
    write_video(tmp_path / "match.mp4", 10)
    folder = tmp_path / "jpegs"
    folder.mkdir()
    (folder / "fps.txt").write_text("5")
    ramp = np.linspace(0, 255, 32 * 48).reshape(32, 48, 1)
    for number in range(3):
        image = np.concatenate((ramp, 255 - ramp, np.full_like(ramp, 80 * number)), -1).astype(np.uint8)
        (folder / f"{number:06d}.jpg").write_bytes(simplejpeg.encode_jpeg(image, 95))
    for path in (tmp_path / "match.mp4", folder):
        grey, colours = read(path, grey=True), read(path, grey=False)
        assert (grey.shape, colours.shape) == ((4, 32, 48, 1), (4, 32, 48, 3))
        assert not grey[0].any(), "before the half"
        assert np.abs(grey[..., 0] - colours @ LUMA)[1:].mean() < 4
        part = read(path, grey=True, crop=[16, 24])
        assert np.array_equal(part, grey[:, 8:24, 12:36])


def test_the_network_sees_them_from_0_to_1_also_augmented() -> None:
    image = ImageSpec.load({"grey": True})
    spec = InputSpec.load(InputSpec.video(25, image).to_dict())
    assert spec.image == image
    assert "grey" not in ImageSpec().to_dict(), "files of coloured ones stay as they were"
    changes = {"flip": 0.5, "jitter": 1.0, "brightness": [0.5, 0.5], "contrast": [0.9, 0.9], "blur": [1.0, 1.0]}
    transform = ImageTransform(image.mean, image.std, changes)
    video = torch.full((2, 3, 8, 8, 1), 255, dtype=torch.uint8)
    valid = torch.tensor([[True] * 3, [True, True, False]])
    torch.testing.assert_close(transform.eval()(video, valid)[0][0], torch.ones(3, 1, 8, 8))
    torch.testing.assert_close(transform.train()(video, valid)[0][1, :2], torch.full((2, 1, 8, 8), 0.5))
