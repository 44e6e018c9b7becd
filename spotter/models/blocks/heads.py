"""What is said of tokens, how it is trained, and what suppression gets to see. All networks share these."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from spotter.data.mixup import blend, blend_all
from spotter.errors import UserError
from spotter.models.blocks import losses
from spotter.models.blocks.windows import valid_windows
from spotter.types import Batch, Output, Targets

DISPLACEMENTS = ("huber", "gaussian", "none")


class DenseHead(nn.Module):
    """Give every anchor a confidence per class and a displacement to the nearest spot.

    displacement : its loss: ``huber``, ``gaussian`` (uncertainty-aware, as in ASTRA), or ``none`` for confidences only
    reach : the largest displacement, in anchors
    huber_delta : share of ``reach`` below which an error counts quadratically
    positive_share : what positives weigh together in the confidence loss of each class; None leaves them unweighted
    focal_gamma : exponent of the focal term, 0 for plain cross-entropy
    prior : confidence at the start of training
    hidden : width of a hidden layer before each output, None for none
    mix_displacement : learn displacements of mixed clips too, each spot as far as its clip goes in, as in ASTRA
    """

    rates: Tensor

    def __init__(
        self,
        width: int,
        classes: int,
        reach: float,
        displacement: str = "huber",
        displacement_weight: float = 0.3,
        huber_delta: float = 0.1,
        positive_share: float | None = 0.03,
        focal_gamma: float = 0.0,
        prior: float = 0.01,
        hidden: int | None = None,
        mix_displacement: bool = False,
    ) -> None:
        super().__init__()
        if displacement not in DISPLACEMENTS:
            raise ValueError(f"model.head.displacement: {displacement!r}: give one of {', '.join(DISPLACEMENTS)}")
        if width == 0:
            said = "mstcn and asformer end in class scores; take gru, deeper_gru or none with this head"
            raise UserError(f"model.network.temporal: {said}")
        self.kind, self.reach, self.displacement_weight = displacement, reach, displacement_weight
        self.huber_delta = huber_delta
        self.positive_share, self.focal_gamma, self.mix_displacement = positive_share, focal_gamma, mix_displacement
        last = nn.Linear(hidden or width, classes)
        nn.init.constant_(last.bias, -math.log((1 - prior) / prior))
        self.confidence = _after_hidden(width, hidden, last)
        outputs = {"huber": 1, "gaussian": 2, "none": 0}[displacement]
        spread = nn.Linear(hidden or width, classes * outputs) if outputs else None
        self.displacement = _after_hidden(width, hidden, spread) if spread is not None else None
        self.register_buffer("rates", torch.full((classes,), 0.01))

    def set_rates(self, rates: Tensor) -> None:
        """Tell the head the share of positive anchors per class (K,), by which it weighs its loss.

        A class without a single spot is left unweighted.
        """
        unseen = self.positive_share or 0.5
        self.rates.copy_(torch.where(rates > 0, rates.clamp(1e-5, 0.5), unseen))

    def forward(self, tokens: Tensor) -> Output:
        """Return logits, and displacements within ``reach``, each (B, A, K), for tokens (B, A, width)."""
        output = Output(logits=self.confidence(tokens).float())
        if self.displacement is not None:
            said = self.displacement(tokens).float().chunk(2 if self.kind == "gaussian" else 1, dim=-1)
            output["displacement"] = self.reach * torch.tanh(said[0])
            if self.kind == "gaussian":
                output["log_variance"] = said[1].clamp(-8, 8)
        return output

    def mix(self, targets: Targets, partners: Targets, weight: Tensor) -> Targets:
        """Return the targets of mixed clips; ``near`` becomes what the displacement of an anchor weighs, (B, A, K)."""
        share = weight.view(-1, 1, 1)
        confidence = blend(targets["confidence"], partners["confidence"], weight)
        if not self.mix_displacement:
            return {**targets, "confidence": confidence, "near": targets["near"] * (share == 1)}
        mine, theirs = share * targets["near"], (1 - share) * partners["near"]
        near = mine + theirs
        displacement = (mine * targets["displacement"] + theirs * partners["displacement"]) / near.clamp(min=1e-6)
        return {"confidence": confidence, "displacement": displacement, "near": near}

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
        near = target["near"] * valid[..., None]
        error = (output["displacement"] - target["displacement"]) / self.reach
        if self.kind == "huber":
            displacement = losses.huber(error, near, self.huber_delta)
        else:
            displacement = losses.gaussian(error, output["log_variance"], near)
        total = confidence + self.displacement_weight * displacement
        return {"loss": total, "confidence": confidence, "displacement": displacement}

    def predict(self, output: Output) -> tuple[Tensor, Tensor | None]:
        """Return logits and displacement (B, A, K), as suppression takes them."""
        return output["logits"], output.get("displacement")

    def _weights(self) -> tuple[Tensor, Tensor]:
        if self.positive_share is None:
            return torch.ones_like(self.rates), torch.ones_like(self.rates)
        return self.positive_share / self.rates, (1 - self.positive_share) / (1 - self.rates)


class WindowHead(nn.Module):
    """Say of every window which classes occur in it: background and K sigmoids, trained with cross-entropy.

    After the pooling baselines of SoccerNet (Giancola et al., 2018) and Zhou et al., 2021.
    """

    def __init__(self, width: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.classes = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, 1 + classes))

    def forward(self, windows: Tensor) -> Output:
        """Return logits (B, N, 1 + K) for windows (B, N, width)."""
        return Output(logits=self.classes(windows).float())

    def mix(self, targets: Targets, partners: Targets, weight: Tensor) -> Targets:
        """Return the targets of mixed clips."""
        return blend_all(targets, partners, weight)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss``; windows centred outside the half do not count."""
        logits = output["logits"]
        valid = valid_windows(batch["valid"], logits.shape[1])
        ones = torch.ones(logits.shape[-1], device=logits.device)
        return {"loss": losses.balanced_bce(logits, batch["targets"]["classes"], ones, ones, valid[..., None])}

    def predict(self, output: Output) -> tuple[Tensor, Tensor | None]:
        """Return the logits (B, N, K) without the background; windows have no displacement."""
        return output["logits"][..., 1:], None


class FrameHead(nn.Module):
    """Say of every frame which class it is, background or one of K: a softmax, as in E2E-Spot (Hong et al., 2022).

    width : of the tokens; 0 if the network ends in class scores (stages, B, T, 1 + K), all of which are trained
    foreground_weight : of every class against the background in the loss
    dropout : of the tokens; the original has none where it has no temporal head

    Mixed clips make targets distributions over classes, and torch has two weighted means: for distributions it divides
    by the number of frames, for class numbers by the sum of their weights, which makes up to ``foreground_weight`` of
    difference. Here it is the first for all, so that losses of training and validation can be compared.
    """

    weight: Tensor

    def __init__(self, width: int, classes: int, foreground_weight: float = 5.0, dropout: float = 0.5) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.classes = nn.Linear(width, 1 + classes) if width else nn.Identity()
        weight = torch.full((1 + classes,), float(foreground_weight))
        weight[0] = 1.0
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, tokens: Tensor) -> Output:
        """Return logits (B, T, 1 + K), with a leading dimension for stages where the network has such."""
        if isinstance(self.classes, nn.Linear):
            tokens = self.classes(self.dropout(tokens))
        return Output(logits=tokens.float())

    def mix(self, targets: Targets, partners: Targets, weight: Tensor) -> Targets:
        """Return the targets of mixed clips."""
        return blend_all(targets, partners, weight)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss``, summed over stages."""
        stages = output["logits"] if output["logits"].dim() == 4 else output["logits"][None]
        target = batch["targets"]["classes"]
        each = [losses.soft_cross_entropy(logits, target, self.weight, batch["valid"]) for logits in stages]
        return {"loss": torch.stack(each).sum()}

    def predict(self, output: Output) -> tuple[Tensor, None]:
        """Return logits (B, T, K) of the last stage, whose sigmoid is the class's share of the softmax."""
        return log_odds(output["logits"] if output["logits"].dim() == 3 else output["logits"][-1]), None


def log_odds(logits: Tensor) -> Tensor:
    """Return (…, K) logits whose sigmoid is the class's share of the softmax of (…, 1 + K), background first."""
    own = torch.eye(logits.shape[-1], dtype=torch.bool, device=logits.device)[1:]  # (K, 1 + K)
    others = logits[..., None, :].masked_fill(own, -math.inf).logsumexp(-1)  # (…, K), of all other classes
    return logits[..., 1:] - others


def _after_hidden(width: int, hidden: int | None, last: nn.Linear) -> nn.Module:
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), last) if hidden else last
