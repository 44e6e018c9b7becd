"""In what a network of video is computed on a CPU is found by a trial, and by nothing that the processor says."""

from __future__ import annotations

import pytest
import torch

from spotter.inference import precision
from spotter.models.system import System
from tests.models.test_system import FEATURES, VIDEO

CPU = torch.device("cpu")


def dtype_of(system: System) -> torch.dtype:
    """Return that of the weights of the backbone."""
    return next(system.network.parameters()).dtype


@pytest.mark.parametrize(("times", "expected"), [(2.0, torch.bfloat16), (1.1, torch.float32), (0.5, torch.float32)])
def test_bfloat16_is_taken_where_a_trial_finds_it_much_faster(
    times: float, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_seconds", lambda system: 1.0 if dtype_of(system) == torch.bfloat16 else times)
    assert dtype_of(precision.fuse(System.build(VIDEO), CPU, None)) == expected


def test_nothing_is_tried_where_there_is_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_seconds", lambda system: pytest.fail("tried"))
    for description, device, given in (
        (VIDEO, CPU, "32"),
        (VIDEO, CPU, 32),
        (VIDEO, torch.device("cuda"), None),
        (FEATURES, CPU, None),
    ):
        assert dtype_of(precision.fuse(System.build(description), device, given)) == torch.float32


def test_a_trial_runs_the_network() -> None:
    system = System.build(VIDEO)
    assert precision._seconds(system.fused()) > 0
    assert precision._seconds(system.fused(torch.bfloat16)) > 0
