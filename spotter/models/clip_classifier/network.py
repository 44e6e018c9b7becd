"""The first of two stages by a network of images: shifts in time, and a learned mean over a window's frames."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from spotter.data.source import Layout
from spotter.models.blocks.backbones import width_of
from spotter.models.blocks.shifted import ShiftedNetwork
from spotter.models.blocks.window import take_rows, window_path
from spotter.types import Plain


class ShiftedClips(ShiftedNetwork):
    """Describe windows of video by a mean over their frames, each column of which has weights of its own in time.

    A clip of ``window`` frames is one window. In a longer one a window is centred on every frame, its edges repeated
    beyond the ends of the half, and every frame goes through the network once; shifts then also see past the ends of
    a window.

    window : frames of a window
    backbone, shift, stages, dilations : see ``ShiftedNetwork``
    backbone_args : further arguments of the backbone in timm
    """

    def __init__(
        self,
        layout: Layout,
        window: int,
        backbone: str = "regnety_008",
        shift: str = "gsm",
        stages: int | None = None,
        dilations: Sequence[int] = (1,),
        backbone_args: Plain | None = None,
    ) -> None:
        super().__init__(layout, backbone, shift, stages, dilations, backbone_args)
        self.window, self.width = window, width_of(self.backbone)
        self.mean = nn.Conv1d(self.width, self.width, window, groups=self.width)
        nn.init.constant_(self.mean.weight, 1 / window)
        nn.init.zeros_(self.mean.bias)  # type: ignore[arg-type]

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, N, width) for ``inputs["video"]``: N = 1 for clips of the window's length, else N = T."""
        frames = self.features(inputs["video"])  # (B, T, width)
        tokens: Tensor = self.mean(take_rows(frames, window_path(valid, self.window)).mT).mT
        return tokens
