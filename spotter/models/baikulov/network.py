"""Baikulov's network: stacks of three grey frames through a 2-D network, then 3-D layers over a window's stacks."""

from __future__ import annotations

from typing import Any, cast

import timm
import torch
from timm.models import FeatureInfo
from torch import Tensor, nn

from spotter.data.mixup import send
from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.baikulov.blocks import GeneralisedMean, InvertedResidual3d, projection
from spotter.models.base import Network
from spotter.models.blocks import backbones
from spotter.models.blocks.pad import pad_to
from spotter.models.blocks.window import clamp_inside
from spotter.types import Plain

STACK = 3  # frames, as the colours of an image
MULTIPLE = 32  # pixels


class Baikulov(Network):
    """Describe the middle of windows of grey images.

    A clip of ``window`` frames is one window. In a longer clip there is a window around every frame, its edges repeated
    beyond the ends of the half; each stack then goes through the 2-D network once.

    window, step : frames of a window, and from one image that is looked at to the next; a multiple of three images
    backbone, backbone_args : a network of timm that gives features, and further arguments of it
    blocks, dim : of the 3-D layers, and the width of a stack's description
    drop_path : rate of skipped layers, in the 2-D network up to it
    freeze : leave the weights of the 2-D network as they are
    at_once : stacks and windows that are computed together in evaluation, which bounds memory

    After Ruslan Baikulov's solution of the ball action spotting challenge, 2023.
    """

    reads = "video"

    def __init__(
        self,
        layout: Layout,
        window: int = 29,
        step: int = 2,
        backbone: str = "tf_efficientnetv2_b0",
        blocks: int = 4,
        dim: int = 256,
        drop_path: float = 0.2,
        freeze: bool = False,
        at_once: int = 32,
        backbone_args: Plain | None = None,
    ) -> None:
        super().__init__()
        if layout.get("video", {}).get("channels") != 1:
            raise UserError("model: baikulov reads grey video; take a video data=… and leave model.grey=true")
        images, rest = divmod(window - 1, step)
        if rest or (images + 1) % STACK:
            raise UserError(
                f"model.clips.clip_len: every image of {step} in {window} frames makes no whole stacks of {STACK}; "
                f"take {(STACK - 1) * step + 1} frames, or {STACK * step} more, and so on"
            )
        self.window, self.step, self.at_once, self.name = window, step, at_once, backbone
        self.stacks, self.arguments = (images + 1) // STACK, dict(backbone_args or {})
        arguments: dict[str, Any] = {"drop_path_rate": drop_path, **self.arguments}
        self.encoder = timm.create_model(backbone, features_only=True, out_indices=[-1], in_chans=STACK, **arguments)
        self.encoder.requires_grad_(not freeze)
        width = cast(FeatureInfo, self.encoder.feature_info).channels()[-1]
        self.project2d = projection(width, width)
        self.blocks = nn.Sequential(*(InvertedResidual3d(width, drop_path=drop_path) for _ in range(blocks)))
        self.project3d = projection(width, dim)
        self.pool = GeneralisedMean()
        self.width = dim * self.stacks

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, N, width) for ``inputs["video"]`` (B, T, 1, H, W): N = 1 for clips of one window, else N = T."""
        first = torch.zeros(1, dtype=torch.long)
        if valid.shape[1] != self.window:
            first = torch.arange(valid.shape[1]) - self.window // 2  # (N,) of each window, it may lie outside
        begins = first[:, None] + STACK * self.step * torch.arange(self.stacks)  # (N, S)
        distinct, use = torch.unique(begins, return_inverse=True)
        images = self.step * torch.arange(STACK) + distinct[:, None]  # (D, 3)
        index = clamp_inside(send(images.flatten()[None], valid.device), valid).view(-1, *images.shape)
        stacks = self.describe_stacks(pad_to(inputs["video"].squeeze(2), MULTIPLE), index)
        return self.describe_windows(stacks, send(use, valid.device))

    def describe_stacks(self, video: Tensor, index: Tensor) -> Tensor:
        """Return (B, D, C, h, w) for the images (B, T, H, W) and the three of each stack, (B, D, 3)."""
        clip = torch.arange(len(video), device=video.device)[:, None, None]
        described = []
        for part in torch.split(index, self._part(index.shape[1]), 1):
            stacks = video[clip, part].flatten(0, 1)  # (B * d, 3, H, W)
            described.append(self.project2d(self.encoder(stacks)[-1]).unflatten(0, part.shape[:2]))
        return torch.cat(described, 1)

    def describe_windows(self, stacks: Tensor, use: Tensor) -> Tensor:
        """Return (B, N, width) for the described stacks and those that each window consists of, (N, S)."""
        described = []
        for part in torch.split(use, self._part(len(use))):
            windows = stacks[:, part].flatten(0, 1).transpose(1, 2)  # (B * n, C, S, h, w)
            mixed = self.project3d(self.blocks(windows).transpose(1, 2).flatten(0, 1))
            described.append(self.pool(mixed).view(len(stacks), len(part), -1))
        return torch.cat(described, 1)

    def load_imagenet(self, weights: str | None = None) -> None:
        """Take ImageNet weights for the 2-D network from a file, or those that timm downloads."""
        backbones.load_imagenet(self.encoder, self.name, weights, **self.arguments)

    def _part(self, count: int) -> int:
        return count if self.training else self.at_once
