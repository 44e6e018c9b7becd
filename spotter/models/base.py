"""What a network and a head have to offer, so that any network goes with any head that takes its tokens.

Shapes: B clips, T frames, A anchors (``T * upsample``, or as many windows as a clip holds), K classes.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from spotter.errors import UserError
from spotter.types import Batch, Output, TargetMaker, Targets

InputKind = Literal["features", "video"]


class Network(nn.Module):
    """Map the input of a clip to tokens, one per anchor.

    A constructor gets the ``layout`` of the input and the number of ``classes`` where it names them, and what
    stands under ``network`` in the config beside ``_target_``.

    reads : the kind of input
    upsample : anchors per frame
    width : numbers per token, which every network says; 0 where the network ends in class scores (stages, B, T, 1 + K)
    """

    reads: InputKind = "features"
    upsample: int = 1
    width: int = -1

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return tokens (B, A, width).

        inputs : per stream (B, rows, columns) float, or ``video`` (B, T, 3, H, W), normalised, zero outside the half
        phase : per stream (B,), the rows between the stream's first row and the first frame of the clip
        valid : (B, T) bool, which frames lie inside the half
        """
        raise NotImplementedError

    def fuse_batchnorm(self) -> None:
        """Prepare for inference in place, where a network has something to gain; the tokens stay the same."""

    def load_imagenet(self, weights: str | None = None) -> None:
        """Take ImageNet weights from a file, or those that are downloaded; raises UserError where there are none."""
        raise UserError("model.pretrained: this network has no ImageNet weights; set model.pretrained=false")


class Head(nn.Module):
    """Map tokens to output, with the targets and the loss it is trained by, and how it becomes scores.

    A constructor gets ``width`` and ``upsample`` of the network, the number of ``classes`` and the ``fps`` of frames
    where it names them, and what stands under ``head`` in the config beside ``_target_``.

    targets : makes what ``loss`` compares with; NumPy only, and copied to the processes that load data
    mixes : whether the targets of two clips can be mixed, as mixup needs
    scores_anchors : whether every anchor, one or several a frame, has a score of its own, also in training
    measures : those among what ``loss`` returns that validation logs beside it
    """

    targets: TargetMaker
    mixes: bool = False
    scores_anchors: bool = False
    measures: tuple[str, ...] = ()

    def forward(self, tokens: Tensor) -> Output:
        """Return what the head makes of tokens (B, A, width)."""
        raise NotImplementedError

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` and, under other names, its parts; only valid frames count."""
        raise NotImplementedError

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return ``logits`` and, where there is one, ``displacement``, in anchors; both (B, A, K)."""
        raise NotImplementedError

    def mix(self, targets: Targets, partners: Targets, weight: Tensor) -> Targets:
        """Return the targets of mixed clips: ``weight`` (B,) of the first and the rest of their partners'."""
        raise NotImplementedError

    def mirror(self, targets: Targets, mirrored: Tensor) -> Targets:
        """Return the targets of clips whose images were ``mirrored`` (B,) or not; only teams on sides change by it."""
        return targets

    def set_class_prior(self, prior: Tensor) -> None:
        """Take the fraction of positive anchors per class (K,) in the training split; most heads do not need it."""
