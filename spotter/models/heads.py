"""What is said of tokens, how it is trained, and what suppression gets to see. All networks share these."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from spotter.batch import Batch, Output
from spotter.errors import UserError
from spotter.models import losses

DISPLACEMENTS = ("huber", "gaussian", "none")


class DenseHead(nn.Module):
    """Give every anchor a confidence per class and a displacement to the nearest spot.

    displacement : its loss: ``huber``, ``gaussian`` (uncertainty-aware, as in ASTRA), or ``none`` for confidences only
    reach : the largest displacement, in anchors
    huber_delta : share of ``reach`` below which an error counts quadratically
    positive_share : what positives weigh together in the confidence loss of each class; None leaves them unweighted
    focal_gamma : exponent of the focal term, 0 for plain cross-entropy
    prior : confidence at the start of training
    """

    soft_targets = ("confidence",)
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
    ) -> None:
        super().__init__()
        if displacement not in DISPLACEMENTS:
            raise ValueError(f"model.head.displacement: {displacement!r}: give one of {', '.join(DISPLACEMENTS)}")
        if width == 0:
            said = "mstcn and asformer end in class scores; take gru, deeper_gru or none with this head"
            raise UserError(f"model.network.temporal: {said}")
        self.kind, self.reach, self.displacement_weight = displacement, reach, displacement_weight
        self.huber_delta = huber_delta
        self.positive_share, self.focal_gamma = positive_share, focal_gamma
        self.confidence = nn.Linear(width, classes)
        nn.init.constant_(self.confidence.bias, -math.log((1 - prior) / prior))
        outputs = {"huber": 1, "gaussian": 2, "none": 0}[displacement]
        self.displacement = nn.Linear(width, classes * outputs) if outputs else None
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

    def loss(self, output: Output, batch: Batch, mixed: Tensor | None = None) -> dict[str, Tensor]:
        """Return the ``loss`` and its parts; the displacement of ``mixed`` (B,) clips is not asked for."""
        target = batch["targets"]
        valid = batch["valid"].repeat_interleave(output["logits"].shape[1] // batch["valid"].shape[1], dim=1)
        positive, negative = self._weights()
        confidence = losses.balanced_bce(
            output["logits"], target["confidence"], positive, negative, valid[..., None], self.focal_gamma
        )
        if self.displacement is None:
            return {"loss": confidence}
        near = target["near"] & valid[..., None]
        if mixed is not None:
            near = near & ~mixed[:, None, None]
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

    soft_targets = ("classes",)

    def __init__(self, width: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.classes = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, 1 + classes))

    def forward(self, windows: Tensor) -> Output:
        """Return logits (B, N, 1 + K) for windows (B, N, width)."""
        return Output(logits=self.classes(windows).float())

    def loss(self, output: Output, batch: Batch, mixed: Tensor | None = None) -> dict[str, Tensor]:
        """Return the ``loss``; windows centred outside the half do not count."""
        logits, valid = output["logits"], batch["valid"]
        if logits.shape[1] != valid.shape[1]:
            valid = valid.any(1, keepdim=True)
        ones = torch.ones(logits.shape[-1], device=logits.device)
        return {"loss": losses.balanced_bce(logits, batch["targets"]["classes"], ones, ones, valid[..., None])}

    def predict(self, output: Output) -> tuple[Tensor, None]:
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

    soft_targets = ("classes",)
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

    def loss(self, output: Output, batch: Batch, mixed: Tensor | None = None) -> dict[str, Tensor]:
        """Return the ``loss``, summed over stages."""
        stages = output["logits"] if output["logits"].dim() == 4 else output["logits"][None]
        target = batch["targets"]["classes"]
        each = [losses.soft_cross_entropy(logits, target, self.weight, batch["valid"]) for logits in stages]
        return {"loss": torch.stack(each).sum()}

    def predict(self, output: Output) -> tuple[Tensor, None]:
        """Return logits (B, T, K) of the last stage, whose sigmoid is the class's share of the softmax."""
        logits = output["logits"] if output["logits"].dim() == 3 else output["logits"][-1]
        own = torch.eye(logits.shape[-1], dtype=torch.bool, device=logits.device)[1:]  # (K, 1 + K)
        others = logits[..., None, :].masked_fill(own, -math.inf).logsumexp(-1)  # (B, T, K), of all other classes
        return logits[..., 1:] - others, None
