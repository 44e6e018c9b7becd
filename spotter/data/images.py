"""Images on the device: normalised for the network and augmented, each clip as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as F

from spotter.checks import check_keys
from spotter.data.mixup import send

UNCHANGED: dict[str, Any] = {
    "flip": 0.0,
    "jitter": 0.0,
    "hue": [0.0, 0.0],
    "saturation": [1.0, 1.0],
    "brightness": [1.0, 1.0],
    "contrast": [1.0, 1.0],
    "blur": [0.0, 0.0],
}


class ImageTransform(nn.Module):
    """Normalise images and, while training, augment the clips at random, each as a whole.

    mean, std : per colour, of pixels from 0 to 1
    augment : ``flip``, the probability of mirroring a clip; ``jitter``, that of each of the others; and the ranges of
        ``hue`` (in turns), factors of ``saturation``, ``brightness`` and ``contrast``, and sigma of a ``blur`` over
        5 pixels. Keys that are left out change nothing. Order and ranges after E2E-Spot (Hong et al., 2022).
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], augment: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        check_keys("model.augment", augment or {}, UNCHANGED)
        self.settings = {**UNCHANGED, **{key: value for key, value in (augment or {}).items() if value is not None}}
        scale = 1 / torch.tensor(std)
        self.register_buffer("scale", scale / 255, persistent=False)
        self.register_buffer("shift", -torch.tensor(mean) * scale, persistent=False)

    scale: Tensor
    shift: Tensor

    def forward(self, video: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Turn (B, T, H, W, 3) uint8 into (B, T, 3, H, W) float, 0 (the mean) outside ``valid`` (B, T); grey alike.

        The second result (B,) bool says which clips were mirrored.
        """
        images = torch.empty_like(video, dtype=torch.float32)  # the one copy: all else happens in place, clip by clip
        with torch.autocast(video.device.type, enabled=False):  # of which the blur would come out in half precision
            mirrored = [self._change(clip, image) for clip, image in zip(video, images, strict=True)]
        channels = video.shape[-1]
        images.mul_(self.scale[:channels]).add_(self.shift[:channels])
        images.masked_fill_(~valid[:, :, None, None, None], 0)
        flags = torch.tensor(mirrored, dtype=torch.bool)
        return images.permute(0, 1, 4, 2, 3), send(flags, video.device)  # the memory stays channels last

    def _change(self, clip: Tensor, out: Tensor) -> bool:
        """Write a clip (T, H, W, 3), in training changed by one draw, to ``out``; return whether it is mirrored."""
        if not self.training:
            out.copy_(clip)
            return False
        draws = torch.rand(11).tolist()  # a fixed number, on the CPU: the same for any settings and device
        chosen = [draw < self.settings["jitter"] for draw in draws[1:6]]
        hue, saturation, brightness, contrast, sigma = (
            low + draw * (high - low)
            for draw, (low, high) in zip(draws[6:], (self.settings[key] for key in _ORDER), strict=True)
        )
        mirrored: bool = draws[0] < self.settings["flip"]
        out.copy_(clip.flip(2) if mirrored else clip)
        if not any(chosen):
            return mirrored
        pixels = out.div_(255).permute(0, 3, 1, 2)  # (T, 3, H, W)
        if chosen[0]:
            pixels = F.adjust_hue(pixels, hue)
        if chosen[1]:
            pixels = F.adjust_saturation(pixels, saturation)
        if chosen[2]:
            pixels = F.adjust_brightness(pixels, brightness)
        if chosen[3]:
            pixels = F.adjust_contrast(pixels, contrast)
        if chosen[4] and sigma > 0:
            pixels = F.gaussian_blur(pixels, [5, 5], [sigma, sigma])
        out.copy_(pixels.permute(0, 2, 3, 1)).mul_(255)
        return mirrored


_ORDER = ("hue", "saturation", "brightness", "contrast", "blur")
