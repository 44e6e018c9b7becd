"""Dense anchors: every one gets a confidence per class and the distance to the nearest spot. Targets and head.

After Soares and Shah, *Action Spotting using Dense Detection Anchors Revisited*, 2022.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spotter.checks import check_above_zero, check_between_zero_and_one, check_choice
from spotter.data.mixup import blend
from spotter.errors import UserError
from spotter.models.base import Head
from spotter.models.blocks import losses
from spotter.types import Arrays, Batch, ClipFrames, Output, Spots, Targets

DISPLACEMENTS = ("huber", "gaussian", "none")
SHAPES = {"hard": 1.0, "linear": 1.0, "gaussian": 3.0}  # radii from a spot to where its confidence is 0
# Sum of the confidences around a spot, in radii.
AREAS = {"hard": 2.0, "linear": 1.0, "gaussian": math.sqrt(2 * math.pi) * math.erf(3 / math.sqrt(2))}


class DenseTargets:
    """Mark every anchor near a spot, and give its distance to the nearest spot of its class.

    radius : how far around a spot anchors count as positive, in seconds
    shape : what confidence they should have: ``hard``, 1 within the radius; ``linear``, falling to 0 at the radius;
        ``gaussian``, with the radius as its standard deviation
    displacement_radius : seconds around a spot within which an anchor's displacement is learned
    upsample : anchors per frame

    Returns ``confidence`` (A, K) float32, ``displacement`` (A, K) float32 in anchors, and ``mask`` (A, K) bool where
    the displacement counts.
    """

    def __init__(
        self, classes: int, radius: float, displacement_radius: float, upsample: int = 1, shape: str = "hard"
    ) -> None:
        self.classes, self.upsample, self.shape = classes, upsample, shape
        self.radius, self.displacement_radius = radius, displacement_radius

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        rate = frames.fps * self.upsample
        anchors = np.arange(frames.start * self.upsample, (frames.start + frames.length) * self.upsample)
        position = (spots.time - frames.offset) * rate
        radius = max(SHAPES[self.shape] * self.radius, self.displacement_radius) * rate
        inside = (position >= anchors[0] - radius) & (position <= anchors[-1] + radius)
        distance = nearest(position[inside], spots.label[inside], anchors, self.classes)
        mask = np.abs(distance) <= self.displacement_radius * rate
        return {
            "confidence": self._confidence(np.abs(distance) / rate),
            "displacement": np.where(mask, distance, 0).astype(np.float32),
            "mask": mask,
        }

    def _confidence(self, seconds: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return what an anchor's confidence should be, by its distance to the nearest spot."""
        if self.shape == "hard":
            return (seconds <= self.radius).astype(np.float32)
        if self.shape == "linear":
            return np.maximum(0, 1 - seconds / self.radius).astype(np.float32)
        near = seconds < SHAPES[self.shape] * self.radius
        return np.where(near, np.exp(-0.5 * (seconds / self.radius) ** 2), 0).astype(np.float32)

    def class_prior(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return the expected confidence of anchors, per class, as if spots lay far from each other."""
        return counts * (AREAS[self.shape] * self.radius * fps) / frames


def nearest(
    position: NDArray[np.float64], label: NDArray[np.int64], anchors: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Return the signed distance (A, K) from every anchor to the nearest spot of every class, inf where there is none.

    Of two spots that are equally near, the later in the columns counts.

    position : (N,) of the spots, in anchors
    label : (N,) of the spots
    anchors : (A,) whole numbers that follow each other
    """
    out = np.full((classes, len(anchors)), np.inf)
    if len(position) == 0:
        return out.T
    order = np.lexsort((position, label))
    spot, owner = position[order], label[order]
    last = np.ones(len(spot), bool)  # of equal ones
    last[:-1] = (owner[1:] != owner[:-1]) | (spot[1:] != spot[:-1])
    order, spot, owner = order[last], spot[last], owner[last]
    # anchors up to halfway between neighbours of a class belong to the left one, those after that to the right one
    border = np.floor((spot[1:] + spot[:-1]) / 2)
    left, right = border - spot[:-1], spot[1:] - border
    begin = border - anchors[0] + ((left < right) | ((left == right) & (order[:-1] > order[1:])))
    begin = np.minimum(np.maximum(begin, 0), len(anchors)).astype(np.int64)
    first = np.ones(len(spot), bool)  # of a class
    first[1:] = owner[1:] != owner[:-1]
    begins, ends = np.zeros(len(spot), np.int64), np.full(len(spot), len(anchors))
    begins[1:] = ends[:-1] = begin
    begins[first] = 0
    ends[:-1][first[1:]] = len(anchors)
    out[owner[first]] = np.repeat(spot, ends - begins).reshape(-1, len(anchors)) - anchors
    return out.T


class DenseHead(Head):
    """Give every anchor a confidence per class and a displacement to the nearest spot.

    fps, upsample : frames per second, and anchors per frame
    radius, displacement_radius, shape : of the targets around a spot, see ``DenseTargets``
    displacement : its loss: ``huber``, ``gaussian`` (uncertainty-aware, as in ASTRA), or ``none`` for confidences only
    displacement_weight : of its loss against that of the confidences
    huber_delta : fraction of the largest displacement below which an error counts quadratically
    positive_weight : of all positives together in the confidence loss of each class; None leaves them unweighted
    rare_weight : exponent: positives of a class n times as rare as the most frequent count n**rare_weight times as much
    focal_gamma : exponent of the focal term, 0 for plain cross-entropy
    prior : confidence at the start of training
    hidden : width of a hidden layer before each output, None for none
    mix_displacement : learn displacements of mixed clips too, each spot by the weight of its clip, as in ASTRA
    """

    mixes = True
    scores_anchors = True
    rates: Tensor  # the class prior, by the name that checkpoints have

    def __init__(
        self,
        width: int,
        classes: int,
        radius: float,
        displacement_radius: float,
        fps: float = 1.0,
        upsample: int = 1,
        displacement: str = "huber",
        displacement_weight: float = 0.3,
        huber_delta: float = 0.1,
        positive_weight: float | None = 0.03,
        focal_gamma: float = 0.0,
        prior: float = 0.01,
        hidden: int | None = None,
        mix_displacement: bool = False,
        shape: str = "hard",
        rare_weight: float = 0.0,
    ) -> None:
        super().__init__()
        check_choice("model.head.displacement", displacement, DISPLACEMENTS)
        check_choice("model.head.shape", shape, SHAPES)
        if width == 0:
            raise UserError(
                "model.network.temporal: mstcn and asformer end in class scores; "
                "take gru, deeper_gru or none with this head"
            )
        check_above_zero("model.head.radius", radius)
        check_above_zero("model.head.huber_delta", huber_delta)
        if displacement != "none":
            check_above_zero("model.head.displacement_radius", displacement_radius)
        if positive_weight is not None:
            check_between_zero_and_one("model.head.positive_weight", positive_weight)
        self.targets = DenseTargets(classes, radius, displacement_radius, upsample, shape)
        self.max_displacement = displacement_radius * (fps * upsample)  # anchors
        self.kind, self.displacement_weight, self.huber_delta = displacement, displacement_weight, huber_delta
        self.rare_weight = rare_weight
        self.positive_weight, self.focal_gamma, self.mix_displacement = positive_weight, focal_gamma, mix_displacement
        last = nn.Linear(hidden or width, classes)
        nn.init.constant_(last.bias, -math.log((1 - prior) / prior))
        self.confidence = _after_hidden(width, hidden, last)
        outputs = {"huber": 1, "gaussian": 2, "none": 0}[displacement]
        spread = nn.Linear(hidden or width, classes * outputs) if outputs else None
        self.displacement = _after_hidden(width, hidden, spread) if spread is not None else None
        self.register_buffer("rates", torch.full((classes,), 0.01))

    def set_class_prior(self, prior: Tensor) -> None:
        """Take the fraction of positive anchors per class (K,), by which the loss is weighted.

        A class without a single spot is left unweighted.
        """
        unseen = self.positive_weight or float(prior.max().clamp(1e-5, 0.5))
        self.rates.copy_(torch.where(prior > 0, prior.clamp(1e-5, 0.5), unseen))

    def forward(self, tokens: Tensor) -> Output:
        """Return logits, and displacements within ``max_displacement``, each (B, A, K), for tokens (B, A, width)."""
        output = Output(logits=self.confidence(tokens).float())
        if self.displacement is not None:
            raw = self.displacement(tokens).float().chunk(2 if self.kind == "gaussian" else 1, dim=-1)
            output["displacement"] = self.max_displacement * torch.tanh(raw[0])
            if self.kind == "gaussian":
                output["log_variance"] = raw[1].clamp(-8, 8)
        return output

    def mix(self, targets: Targets, partners: Targets, weight: Tensor) -> Targets:
        """Return the targets of mixed clips; ``mask`` becomes what the displacement of an anchor weighs, (B, A, K)."""
        first = weight.view(-1, 1, 1)
        confidence = blend(targets["confidence"], partners["confidence"], weight)
        if not self.mix_displacement:
            return {**targets, "confidence": confidence, "mask": targets["mask"] * (first == 1)}
        mine, theirs = first * targets["mask"], (1 - first) * partners["mask"]
        mask = mine + theirs
        displacement = (mine * targets["displacement"] + theirs * partners["displacement"]) / mask.clamp(min=1e-6)
        return {"confidence": confidence, "displacement": displacement, "mask": mask}

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` and its parts."""
        target = batch["targets"]
        valid = batch["valid"].repeat_interleave(output["logits"].shape[1] // batch["valid"].shape[1], dim=1)
        positive, negative = self._weights()
        confidence = losses.balanced_bce(
            output["logits"], target["confidence"], positive, negative, valid[..., None], self.focal_gamma
        )
        if self.displacement is None:
            return {"loss": confidence}
        mask = target["mask"] * valid[..., None]
        error = (output["displacement"] - target["displacement"]) / self.max_displacement
        if self.kind == "huber":
            displacement = losses.huber(error, mask, self.huber_delta)
        else:
            displacement = losses.gaussian(error, output["log_variance"], mask)
        total = confidence + self.displacement_weight * displacement
        return {"loss": total, "confidence": confidence, "displacement": displacement}

    def predict(self, output: Output) -> dict[str, Tensor]:
        """Return ``logits`` and, where it is learned, ``displacement``, both (B, A, K)."""
        if self.displacement is None:
            return {"logits": output["logits"]}
        return {"logits": output["logits"], "displacement": output["displacement"]}

    def _weights(self) -> tuple[Tensor, Tensor]:
        rare = (self.rates.max() / self.rates) ** self.rare_weight
        if self.positive_weight is None:
            return rare, torch.ones_like(self.rates)
        return rare * self.positive_weight / self.rates, (1 - self.positive_weight) / (1 - self.rates)


def _after_hidden(width: int, hidden: int | None, last: nn.Linear) -> nn.Module:
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), last) if hidden else last
