"""Schedules by hand, sharpness-aware steps against a slow reference, and what they do not go with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from spotter.training.optimizer import OptimizerConfig, SharpnessAware, adamw, schedule_factor, update_rates
from tests.conftest import call


def loss_of(weights: list[Tensor]) -> Tensor:
    """Return something with curvature."""
    return (weights[0] ** 4).sum() + (weights[0][0] * weights[1]).pow(2).sum() + weights[1].sin().sum()


def fresh() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(2, 3, generator=generator)), nn.Parameter(torch.randn(3, generator=generator))]


def test_a_sharpness_aware_step_equals_its_definition() -> None:
    """Gradient at w + rho g / |g|, then Adam from w: computed here one number after the other."""
    ours, theirs = fresh(), fresh()
    sharp, plain = SharpnessAware(ours, lr=0.1, radius=0.5), torch.optim.AdamW(theirs, lr=0.1)
    for _ in range(3):

        def closure() -> Tensor:
            sharp.zero_grad()
            loss = loss_of(list(ours))
            loss.backward()
            return loss

        first = sharp.step(closure)
        assert first.item() == pytest.approx(loss_of(list(theirs)).item(), rel=1e-5), "the loss is that of the weights"

        gradients = torch.autograd.grad(loss_of(list(theirs)), theirs)
        norm = sum(float(number) ** 2 for gradient in gradients for number in gradient.flatten()) ** 0.5
        above = [
            (w.detach() + 0.5 * gradient / norm).requires_grad_() for w, gradient in zip(theirs, gradients, strict=True)
        ]
        for weight, gradient in zip(theirs, torch.autograd.grad(loss_of(list(above)), above), strict=True):
            weight.grad = gradient
        plain.step()
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b)


def test_weights_come_back_when_the_second_pass_fails() -> None:
    weights = fresh()
    sharp = SharpnessAware(weights, lr=0.1, radius=0.5)
    before = [w.detach().clone() for w in weights]

    def closure() -> Tensor:
        if sharp.ascended:
            raise OSError("the disk went away")
        loss = loss_of(list(weights))
        loss.backward()
        return loss

    with pytest.raises(OSError, match="the disk"):
        sharp.step(closure)
    assert all(torch.equal(w, b) for w, b in zip(weights, before, strict=True))
    with pytest.raises(ValueError, match="closure"):
        sharp.step()


def test_the_head_may_learn_at_its_own_rate() -> None:
    """Every parameter once, whatever the factor; without one the groups are those of older checkpoints."""
    network, head = nn.Linear(3, 2), nn.Linear(2, 1)
    plain = adamw(OptimizerConfig(0.1), network, head)
    assert type(plain) is torch.optim.AdamW
    assert [group["lr"] for group in plain.param_groups] == [0.1, 0.1]
    sharp = adamw(OptimizerConfig(0.1, sam=0.05, head_lr_factor=10), network, head)
    assert isinstance(sharp, SharpnessAware)
    for optimizer in (plain, sharp):
        assert {p for group in optimizer.param_groups for p in group["params"]} == {
            *network.parameters(), *head.parameters()
        }  # fmt: skip
    rates = {p: group["lr"] for group in sharp.param_groups for p in group["params"]}
    assert (rates[network.weight], rates[network.bias]) == (0.1, 0.1)
    assert (rates[head.weight], rates[head.bias]) == (1.0, 1.0)


def test_another_plateau_acts_on_a_run_that_goes_on() -> None:
    before, now = (OptimizerConfig(0.1, schedule="plateau", plateau={"factor": 0.5, "patience": n}) for n in (3, 7))
    optimizer = adamw(before, nn.Linear(3, 2), nn.Linear(2, 1))
    schedule = ReduceLROnPlateau(optimizer, factor=0.5, patience=3)
    schedule.step(1.0)
    schedule.step(2.0)
    state = schedule.state_dict()
    update_rates(optimizer.state_dict(), [state], before, now)
    assert (state["patience"], state["factor"], state["num_bad_epochs"]) == (7, 0.5, 1)


def test_the_linear_schedule_by_hand() -> None:
    factors = [schedule_factor("linear", step, 12, 2, 0.1) for step in range(15)]
    assert factors[:3] == pytest.approx([1 / 3, 2 / 3, 1])
    assert factors[7] == pytest.approx(0.55)
    assert factors[12:] == pytest.approx([0.1] * 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.sam=0.1", "trainer.accumulate_grad_batches=2"], "model.sam: does not go with"),
        (["model.schedule=steps"], "model.schedule: 'steps' is unknown: give one of cosine, linear, plateau"),
        (["model.clips.balanced_mixup=true", "model.mixup=null"], "model.clips.balanced_mixup"),
        (["model.augment={swap:3}"], "model.augment.swap: expected a number from 0 to 1"),
        (["model.sam=true"], "model.sam: expected a number of at least 0"),
        (["model.schedule=plateau", "model.plateau={patience:-1,factor:0.1}"], "model.plateau.patience"),
        (["model.schedule=plateau", "model.plateau={patience:1,factor:2}"], "model.plateau.factor"),
        (["model.head_lr_factor=-1"], "model.head_lr_factor: expected a number of at least 0"),
        (["model.sam=-1"], "model.sam: expected a number of at least 0"),
        (["model.clips.clip_len=20.5"], "model.clips: expected whole numbers"),
        (["model.clips.margin=-5"], "model.clips: expected whole numbers"),
        (["model.mixup={alpha:2}"], "model.mixup: "),
        (["model.augment={flip:0.3}"], "model.augment: "),
        (["model.network.heads=5"], "a dim that is a multiple of heads"),
        (["model.network.layers=0"], "expected at least one layer"),
        (["model.head.radius=0"], "model.head.radius: expected a number above 0"),
        (["model.head.displacement=huber", "model.head.huber_delta=0"], "model.head.huber_delta"),
        (["model.clips.sampling=balanced", "model.clips.spot_margin=500"], "model.clips.spot_margin"),
    ],
)
def test_what_does_not_go_together_is_one_line(words: list[str], said: str, tiny: list[str], tmp_path: Path) -> None:
    called = call("train.py", *tiny, *words, cwd=tmp_path)
    assert called.status in (1, 2)
    last = called.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert said in last
