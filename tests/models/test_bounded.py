"""Settings of a checkpoint that ask for a network far larger than its weights take no memory, and say so."""

from __future__ import annotations

import copy
import resource
from typing import Any

import pytest
import torch

from spotter.errors import UserError
from spotter.models.system import System
from tests.models.test_system import FEATURES, VIDEO


@pytest.mark.parametrize("size", [10**6, 10**15])
@pytest.mark.parametrize(
    ("description", "part", "key"),
    [
        (FEATURES, "network", "dim"),
        (FEATURES, "network", "layers"),
        (FEATURES, "network", "feedforward"),
        (FEATURES, "head", "hidden"),
        (VIDEO, "network", "backbone_args.layers"),
        (VIDEO, "network", "backbone_args.stem_width"),
    ],
)  # fmt: skip
def test_a_huge_network_is_refused(description: Any, part: str, key: str, size: int) -> None:
    content = {"hyper_parameters": copy.deepcopy(description), "state_dict": System.build(description).state_dict()}
    settings = content["hyper_parameters"][part]
    *above, last = key.split(".")
    for name in above:
        settings = settings.setdefault(name, {})
    settings[last] = [size, 1, 1, 1] if above and last == "layers" else size
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(
        UserError, match=r"^ckpt: its settings ask for far more than the [\d.e-]+ MB of weights that it"
    ):
        System.load(content)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def test_a_tensor_that_repeats_a_number_counts_as_it_is_stored() -> None:
    """A file of some bytes may hold such a tensor of any shape."""
    description = copy.deepcopy(FEATURES)
    state = System.build(description).state_dict()
    description["head"]["hidden"] = 10**8
    state["head.confidence.0.weight"] = torch.zeros(1, 1).expand(10**8, 8)
    with pytest.raises(UserError, match=r"^ckpt: its settings ask for far more"):
        System.load({"hyper_parameters": description, "state_dict": state})
