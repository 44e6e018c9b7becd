"""How weights are updated: AdamW, its schedules, and sharpness-aware minimisation around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim.optimizer import ParamsT

from spotter.checks import check_between_zero_and_one, check_choice, check_integer, check_keys, check_not_negative
from spotter.types import Plain

LISTED = ("base_lrs", "_last_lr")  # rates in the state of a schedule
SCHEDULES = ("cosine", "linear", "plateau")


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """Hold how weights are updated, under the names that the keys have in configs, below ``model``.

    lr, weight_decay : of AdamW
    head_lr_factor : of the rate of the head, whose weights are random where those of the network are not
    warmup : steps, or a fraction of all steps if below 1
    final_lr : fraction of ``lr`` that a ``cosine`` or ``linear`` schedule ends at
    schedule : ``cosine``, ``linear`` or ``plateau``
    plateau : with ``schedule="plateau"``, by which ``factor`` the rate falls after ``patience`` validations without a
        lower loss; there is no warm-up then
    sam : radius of sharpness-aware minimisation, or None
    """

    lr: float = 2e-4
    weight_decay: float = 1e-2
    warmup: float = 0.05
    final_lr: float = 0.01
    schedule: str = "cosine"
    plateau: Plain | None = None
    sam: float | None = None
    head_lr_factor: float = 1.0

    @classmethod
    def load(cls, content: Plain) -> Self:
        """Check plain values; raises UserError naming an unknown key, or one that is out of range."""
        check_keys("model", content, [field.name for field in fields(cls)])
        config = cls(**content)
        for key in ("lr", "weight_decay", "warmup", "final_lr", "sam", "head_lr_factor"):
            if key != "sam" or config.sam is not None:
                check_not_negative(f"model.{key}", getattr(config, key))
        check_choice("model.schedule", config.schedule, SCHEDULES)
        _check_plateau(config.plateau or {})
        return config

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as checkpoints hold them."""
        return asdict(self)


def _check_plateau(plateau: Plain) -> None:
    check_keys("model.plateau", plateau, ("factor", "patience"))
    check_integer("model.plateau.patience", plateau.get("patience", 10), 0)
    check_between_zero_and_one("model.plateau.factor", plateau.get("factor", 0.1))


def adamw(config: OptimizerConfig, network: nn.Module, head: nn.Module) -> torch.optim.AdamW:
    """Return AdamW, decaying matrices only; without decay it is Adam. ``sam`` is the radius of its first step."""
    parts: list[tuple[Iterable[nn.Parameter], float]] = [([*network.parameters(), *head.parameters()], config.lr)]
    if config.head_lr_factor != 1:  # else the groups are those of checkpoints before it
        parts = [(network.parameters(), config.lr), (head.parameters(), config.head_lr_factor * config.lr)]
    groups: list[dict[str, Any]] = []
    for parameters, lr in parts:
        trained = [p for p in parameters if p.requires_grad]
        matrices, vectors = ([p for p in trained if (p.dim() >= 2) is wanted] for wanted in (True, False))
        groups += [
            {"params": matrices, "lr": lr, "weight_decay": config.weight_decay},
            {"params": vectors, "lr": lr, "weight_decay": 0.0},
        ]
    return SharpnessAware(groups, config.lr, config.sam) if config.sam else torch.optim.AdamW(groups, config.lr)


def update_rates(
    optimizer: dict[str, Any], schedules: Sequence[dict[str, Any]], before: OptimizerConfig, now: OptimizerConfig
) -> None:
    """Give the stored states of an optimizer and its schedules another learning rate, weight decay and plateau.

    Nothing changes where they are those that the run had ``before``.
    """
    for schedule in schedules if now.plateau != before.plateau else []:
        schedule.update(now.plateau or {})
    for group in optimizer["param_groups"][::2] if now.weight_decay != before.weight_decay else []:
        group["weight_decay"] = now.weight_decay  # of matrices, see ``adamw``
    if now.lr == before.lr or not before.lr:
        return
    factor = now.lr / before.lr
    for group in optimizer["param_groups"]:
        group.update({key: factor * group[key] for key in ("lr", "initial_lr") if key in group})
    for schedule in schedules:
        schedule.update({key: [factor * lr for lr in schedule[key]] for key in LISTED if key in schedule})


class SharpnessAware(torch.optim.AdamW):
    """Step by the gradient at the steepest point within ``radius``, not by that of the weights themselves.

    Takes every batch twice, and statistics of batch normalisation with it. After Foret et al., *Sharpness-Aware
    Minimization*, 2021.
    """

    def __init__(self, params: ParamsT, lr: float, radius: float) -> None:
        super().__init__(params, lr=lr)
        self.radius = radius
        self.ascended = False  # the closure runs for the second time

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor:  # type: ignore[override]
        """Run ``closure``, which clears and computes gradients, at the weights and at the point above them."""
        if closure is None:
            raise ValueError("a closure is needed, which computes the gradients twice")
        with torch.enable_grad():
            loss = closure()
        weights = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        before = [p.detach().clone() for p in weights]
        self._ascend(weights)
        try:
            self.ascended = True
            with torch.enable_grad():
                closure()
        finally:
            self.ascended = False
            with torch.no_grad():
                torch._foreach_copy_(weights, before)
        super().step()
        return loss

    @torch.no_grad()
    def _ascend(self, weights: list[Tensor]) -> None:
        if not weights:
            return
        gradients = [p.grad for p in weights if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        torch._foreach_add_(weights, torch._foreach_mul(gradients, self.radius / (norm + 1e-12)))


def schedule_factor(kind: str, step: int, steps: float, warmup: float, final: float) -> float:
    """Return the factor of the learning rate at a step: linear warm-up, then from 1 down to ``final``.

    kind : ``cosine`` or ``linear``
    warmup : steps, or a fraction of all steps if below 1
    """
    rise = warmup if warmup >= 1 else warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    progress = min(1.0, (step - rise) / max(1.0, steps - rise))
    left = 0.5 * (1 + math.cos(math.pi * progress)) if kind == "cosine" else 1 - progress
    return final + (1 - final) * left
