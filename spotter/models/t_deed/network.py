"""T-DEED: gated shifts in the last stages of a 2-D network, then an encoder-decoder over time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.blocks import backbones
from spotter.models.blocks.shifted import ShiftedNetwork
from spotter.models.t_deed.sgp import EncoderDecoder
from spotter.types import Plain


class TDeed(ShiftedNetwork):
    """Make one token of every frame, of fine and of coarse resolution in time.

    clip_len : the most frames that a clip may have, each of which has a learned position
    backbone, backbone_args : as of ``E2ESpot``
    shift, stages : ``gsf`` or ``gsm``, in that many of the last stages
    dilations : of shifts: the frames by which equal parts of the channels move
    layers : how often the encoder halves the length of a clip
    kernel, ratio : frames of the narrower window of a block, and how many times as wide the other one is

    After Xarles et al., *T-DEED: Temporal-Discriminability Enhancer Encoder-Decoder*, 2024.
    """

    def __init__(
        self,
        layout: Layout,
        clip_len: int,
        backbone: str = "regnety_002",
        shift: str = "gsf",
        stages: int = 2,
        dilations: Sequence[int] = (1,),
        layers: int = 2,
        kernel: int = 9,
        ratio: float = 4,
        backbone_args: Plain | None = None,
    ) -> None:
        super().__init__(layout, backbone, shift, stages, dilations, backbone_args)
        self.width = backbones.width_of(self.backbone)
        if self.width % 16:
            raise UserError(f"model.network.backbone: {backbone} has {self.width} features; a multiple of 16 is needed")
        self.positions = nn.Parameter(torch.randn(clip_len, self.width) / clip_len)
        self.temporal = EncoderDecoder(self.width, layers, kernel, ratio)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return tokens (B, T, width) for normalised ``inputs["video"]`` (B, T, 3, H, W); invalid frames are zeros."""
        return self.mix_frames(self.features(inputs["video"]))

    def mix_frames(self, features: Tensor) -> Tensor:
        """Return tokens (B, T, width) for the features of frames (B, T, width)."""
        count = features.shape[1]
        if count > len(self.positions):
            raise UserError(
                f"model.clips.eval_len: {count} frames, but the network has positions for {len(self.positions)}, the "
                "clip_len of its training; set both equal"
            )
        tokens: Tensor = self.temporal((features + self.positions[:count]).transpose(1, 2))
        return tokens.transpose(1, 2)
