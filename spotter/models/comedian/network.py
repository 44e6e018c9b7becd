"""COMEDIAN: a transformer over the patches of every tube of a clip, and another over the tubes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.checks import check_choice
from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks import backbones
from spotter.models.comedian.spatial import Transformer, TubeSwin, TubeViT
from spotter.types import Plain

SPATIAL = {"vivit": TubeViT, "viswin": TubeSwin}
IMAGENET = {"vivit": "vit_tiny_patch16_224", "viswin": "swin_tiny_patch4_window7_224"}


class Comedian(Network):
    """Make one token of every ``tube`` frames, and give it to each of them.

    clip_len : the most frames that a clip may have
    spatial : ``vivit`` or ``viswin``; ``spatial_args`` are arguments of ``TubeViT`` or ``TubeSwin``
    image : height and width that images are scaled to
    tube : frames that are seen as one
    depth, heads : of the transformer over tubes
    masked : fraction of tubes that training does not see, but takes from those around them
    drop_path : rate of skipped layers at the end of both transformers
    freeze : learn nothing but the head

    After Denize et al., *COMEDIAN: Self-Supervised Learning and Knowledge Distillation for Action Spotting*, 2024.
    """

    reads = "video"

    def __init__(
        self,
        layout: Layout,
        clip_len: int,
        spatial: str = "vivit",
        image: Sequence[int] = (224, 224),
        tube: int = 2,
        depth: int = 6,
        heads: int = 3,
        masked: float = 0.25,
        drop_path: float = 0.1,
        freeze: bool = False,
        spatial_args: Plain | None = None,
    ) -> None:
        super().__init__()
        self.arguments = backbones.arguments_for(layout)
        check_choice("model.network.spatial", spatial, SPATIAL)
        if clip_len % tube or not 0 <= masked < 1:
            raise UserError(
                f"model.clips.clip_len: {clip_len} frames are no whole tubes of {tube}; or masked is not in 0…1"
            )
        self.kind, self.image, self.tube, self.masked = spatial, tuple(image), tube, masked
        self.spatial = SPATIAL[spatial](image, tube, drop_path=drop_path, **self.arguments, **dict(spatial_args or {}))
        self.width = self.spatial.width
        self.times = nn.Parameter(torch.zeros(1, clip_len // tube, self.width))
        nn.init.trunc_normal_(self.times, std=0.02)
        self.hidden = nn.Parameter(torch.zeros(1, 1, self.width))  # stands for a tube that is not seen
        self.temporal = Transformer(self.width, depth, heads, drop_path)
        self.requires_grad_(not freeze)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return tokens (B, T, width) for normalised ``inputs["video"]`` (B, T, C, H, W)."""
        return self.tubes(inputs["video"]).repeat_interleave(self.tube, 1)

    def tubes(self, video: Tensor) -> Tensor:
        """Return the tokens of tubes, (B, T / tube, width)."""
        count, rest = divmod(video.shape[1], self.tube)
        if rest or count > self.times.shape[1]:
            most = self.times.shape[1] * self.tube
            raise UserError(
                f"model.clips.eval_len: {video.shape[1]} frames; expected a multiple of {self.tube}, at most {most}, "
                "the clip_len of training"
            )
        scaled = self._scale(video)
        tubes = scaled.view(len(video), count, self.tube, *scaled.shape[2:]).transpose(2, 3)  # (B, P, C, tube, H, W)
        tokens = self._see_some(tubes) if self.training and self.masked else self._see(tubes)
        mixed: Tensor = self.temporal(tokens + self.times[:, :count])
        return mixed

    def load_imagenet(self, weights: str | None = None) -> None:
        """Take ImageNet weights for the transformer over patches from a file, or those that timm downloads."""
        name = IMAGENET[self.kind]
        state = backbones.read_weights(weights) if weights else backbones.download(name, **self.arguments)
        backbones.warn_of_random(self.spatial.take_imagenet(state))

    def _scale(self, video: Tensor) -> Tensor:
        if video.shape[-2:] == self.image:
            return video
        scaled = F.interpolate(video.flatten(0, 1), self.image, mode="bilinear", antialias=True)
        return scaled.view(*video.shape[:3], *self.image)

    def _see(self, tubes: Tensor) -> Tensor:
        """Return (B, P, width) of tubes (B, P, C, tube, H, W)."""
        seen: Tensor = self.spatial(tubes.flatten(0, 1))
        return seen.view(*tubes.shape[:2], -1)

    def _see_some(self, tubes: Tensor) -> Tensor:
        """Return (B, P, width), of which only some are seen; the same number of each clip."""
        batch, count = tubes.shape[:2]
        kept = count - int(self.masked * count)
        order = torch.rand(batch, count, device=tubes.device).argsort(1)[:, :kept]
        clip = torch.arange(batch, device=tubes.device)[:, None]
        seen = self._see(tubes[clip, order])
        tokens = self.hidden.to(seen.dtype).repeat(batch, count, 1)
        return tokens.scatter(1, order[..., None].expand_as(seen), seen)
