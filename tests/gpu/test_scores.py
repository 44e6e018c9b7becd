"""Scores on the device: those of the CPU, whatever the precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gpu_examples import EXAMPLES
from gpu_parts import DEVICE, build, evaluation_batch

from spotter.inference.engine import Compute, run

EQUAL = {
    "32": 0.01,
    "bf16": 0.05,
}  # of confidences from 0 to 1; convolutions of CUDA have 10 bits unless told otherwise


def confidences(name: str, device: torch.device, precision: str) -> torch.Tensor:
    """Return the confidences of a batch from an untrained network, (B, A, K)."""
    module, data = build(name)
    system, compute = module.system.to(device).eval(), Compute(device, precision)
    with torch.inference_mode(), compute.autocast():
        found = system.outputs(evaluation_batch(data, device))
    assert all(torch.isfinite(each).all() for each in found.values())
    return found["logits"].float().sigmoid().cpu()


@pytest.mark.parametrize("precision", EQUAL)
@pytest.mark.parametrize("name", EXAMPLES)
def test_scores_are_those_of_the_cpu(name: str, precision: str) -> None:
    expected = confidences(name, torch.device("cpu"), "32")
    found = confidences(name, DEVICE, precision)
    far = (found - expected).abs()
    if name.startswith(("calf", "grounding_")):  # a slot that falls on the next frame moves its score there
        assert far.mean() < EQUAL[precision]
    else:
        assert far.max() < EQUAL[precision]


@pytest.mark.parametrize("name", ["transformer", "e2e_spot"])
def test_whole_halves_are_those_of_the_cpu(name: str) -> None:
    stitched = {}
    for device in (torch.device("cpu"), DEVICE):
        module, data = build(name)
        system = module.system.to(device).eval()
        given = data.source, data.records["valid"], system.clips, system.network.upsample, Compute(device, batch_size=4)
        stitched[device.type] = dict(run(system.outputs, *given))
    for half, arrays in stitched["cpu"].items():
        assert np.abs(arrays["logits"] - stitched[DEVICE.type][half]["logits"]).max() < 0.05
