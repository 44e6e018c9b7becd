"""What the systems of video cost beside their plain backbones, and what their own ways of decoding and sliding save."""

from __future__ import annotations

import math
import subprocess
import sys
from unittest import mock

import numpy as np
import orjson
import pytest
import torch

from spotter.inference.decode import Candidates, apply_displacement
from spotter.io.scores import Scores
from spotter.models.baikulov.network import Baikulov
from tests.benchmarks.conftest import Note
from tests.benchmarks.pairs import Pairs, compare
from tests.conftest import PROJECT, environment


def measure(mode: str, name: str) -> Pairs:
    """Return what a process of its own measured."""
    command = [sys.executable, "-m", "tests.benchmarks.systems_process", mode, name, "5"]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, env=environment())
    assert ran.returncode == 0, ran.stderr
    took = orjson.loads(ran.stdout.splitlines()[-1])
    return Pairs(took["ours"], took["plain"])


@pytest.mark.parametrize("key", ["step_t_deed", "step_adaspot", "step_baikulov", "step_comedian"])
def test_training_step(note: Note, key: str) -> None:
    note(key, measure("train", key.removeprefix("step_")))


@pytest.mark.parametrize("key", ["infer_t_deed", "infer_adaspot", "infer_baikulov", "infer_comedian"])
def test_inference(note: Note, key: str) -> None:
    note(key, measure("infer", key.removeprefix("infer_")))


@torch.no_grad()
def test_stacks_are_computed_once(note: Note) -> None:
    """Slid over 64 frames each stack goes through the 2-D network once, counted, not with each window that holds it."""
    network = Baikulov({"video": {"channels": 1}}).eval()
    frames, window = 64, network.window
    video, valid = torch.rand(1, frames, 1, 96, 160), torch.ones(1, frames, dtype=torch.bool)
    starts = torch.arange(frames) - window // 2
    each = video[0, (starts[:, None] + torch.arange(window)).clamp(0, frames - 1)]  # (frames, window, 1, H, W)
    inside = torch.ones(1, window, dtype=torch.bool)

    def slid() -> torch.Tensor:
        return network({"video": video}, {}, valid)[0]

    def one_by_one() -> torch.Tensor:
        return torch.cat([network({"video": part[None]}, {}, inside)[:, 0] for part in each])

    counted = []
    for run in (slid, one_by_one):
        with mock.patch.object(network.encoder, "forward", wraps=network.encoder.forward) as forward:
            run()
            counted.append(sum(len(call.args[0]) for call in forward.call_args_list))
    distinct = len(torch.unique(starts[:, None] + network.step * 3 * torch.arange(network.stacks)))
    assert counted == [distinct, network.stacks * frames]
    torch.testing.assert_close(slid(), one_by_one(), atol=1e-4, rtol=1e-3)
    note("baikulov_cache", compare(slid, one_by_one, 3))


def test_decoding(note: Note) -> None:
    """A ball game of 12.5 images a second: every class of every frame moves by its distance, the highest stays."""
    rng = np.random.default_rng(0)
    frames, classes, fps = 67_500, 12, 12.5
    logits, displacement = (rng.normal(mean, 2, (frames, classes)).astype(np.float32) for mean in (-3, 0))
    scores = Scores(logits, displacement, fps)

    def loop() -> Candidates:
        found = Candidates(np.full(logits.shape, -1.0), np.zeros(logits.shape), fps)
        for frame in range(frames):
            for label in range(classes):
                confidence = 1 / (1 + math.exp(-logits[frame, label]))
                position = frame + float(displacement[frame, label])
                cell = min(max(math.floor(position), 0), frames - 1), label
                if confidence > found.confidence[cell]:
                    found.confidence[cell] = confidence
                    found.time[cell] = round(1000 * min(max(position, 0), frames - 1) / fps) / 1000
        return found

    ours, theirs = apply_displacement(scores), loop()
    np.testing.assert_allclose(ours.confidence, theirs.confidence)
    np.testing.assert_allclose(ours.time, theirs.time)
    note("decode_t_deed", compare(lambda: apply_displacement(scores), loop, 7))
