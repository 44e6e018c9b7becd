"""Suppression of a whole half, from raw scores to predictions; the limits are seconds of one CPU core."""

from __future__ import annotations

import time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from spotter.inference.decode import decode
from spotter.io.scores import Scores
from spotter.settings import Postprocess


def simulate(length: int, classes: int, fps: float, displaced: bool = True) -> Scores:
    """Return noise with a bump of six seconds every half a minute."""
    rng = np.random.default_rng(0)
    seconds = np.arange(length) / fps
    logits = rng.normal(-6, 1, (length, classes))
    for label in range(classes):
        centres = rng.uniform(0, length / fps, int(length / fps / 30))
        nearest = np.abs(seconds[:, None] - centres).min(axis=1)
        logits[:, label] += 9 * np.exp(-((nearest / 3) ** 2))
    displacement = rng.normal(0, 2, (length, classes)).astype(np.float32) if displaced else None
    return Scores(logits.astype(np.float32), displacement, fps)


HALF, BALL = (5400, 17, 2), (67500, 2, 25)


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("displaced", [True, False])
@pytest.mark.parametrize(
    ("size", "postprocess", "limit"),
    [
        (HALF, Postprocess("nms", 20.0), 0.03),
        (HALF, Postprocess("soft_nms", 4.0, 1e-5), 0.1),
        (HALF, Postprocess("soft_nms", 4.0), 0.1),
        (BALL, Postprocess("nms", 1.0), 0.3),
        (BALL, Postprocess("soft_nms", 1.0, 1e-5), 0.3),
        (BALL, Postprocess("soft_nms", 4.0, 1e-5), 0.3),
    ],
    ids=lambda value: str(value) if isinstance(value, tuple) else getattr(value, "method", ""),
)
def test_suppression_of_a_half(
    benchmark: BenchmarkFixture, size: tuple[int, int, int], postprocess: Postprocess, limit: float, displaced: bool
) -> None:
    length, classes, fps = size
    scores = simulate(length, classes, fps, displaced)
    benchmark.extra_info["predictions"] = len(benchmark(decode, scores, postprocess, fps))
    if benchmark.stats:
        assert benchmark.stats.stats.min < limit
