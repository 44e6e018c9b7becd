"""Suppression of a whole half, from raw scores to predictions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from spotter.inference.decode import decode
from spotter.io.scores import Scores
from spotter.settings import Postprocess
from tests.benchmarks.conftest import Note
from tests.benchmarks.pairs import compare

HALF, BALL = (5400, 17, 2), (67500, 2, 25)  # anchors, classes, anchors a second


def simulate(length: int, classes: int, fps: float) -> Scores:
    """Return noise with a bump of six seconds every half a minute."""
    rng = np.random.default_rng(0)
    seconds = np.arange(length) / fps
    logits = rng.normal(-6, 1, (length, classes))
    for label in range(classes):
        centres = rng.uniform(0, length / fps, int(length / fps / 30))
        nearest = np.abs(seconds[:, None] - centres).min(axis=1)
        logits[:, label] += 9 * np.exp(-((nearest / 3) ** 2))
    displacement = rng.normal(0, 2, (length, classes)).astype(np.float32)
    return Scores(logits.astype(np.float32), displacement, fps)


def take_one_by_one(confidence: NDArray[np.float64], how: Postprocess, reach: float) -> int:
    """Suppress one class as published code does, and return how many are left; ``reach`` is in anchors."""
    left, kept = confidence.copy(), 0
    around = int(reach)
    decay = np.abs(np.arange(-around, around + 1)) / reach if how.method == "soft_nms" else np.zeros(2 * around + 1)
    while left[top := int(left.argmax())] > how.threshold:
        low, high = max(top - around, 0), min(top + around + 1, len(left))
        left[low:high] *= decay[low - top + around : high - top + around]
        left[top], kept = 0, kept + 1
    return kept


@pytest.mark.parametrize(
    ("key", "size", "how", "pairs"),
    [
        ("nms_half", HALF, Postprocess("nms", 20.0), 15),
        ("soft_half", HALF, Postprocess("soft_nms", 4.0, 1e-5), 7),
        ("nms_ball", BALL, Postprocess("nms", 1.0), 9),
        ("soft_ball", BALL, Postprocess("soft_nms", 4.0, 1e-5), 5),
    ],
)
def test_suppression(note: Note, key: str, size: tuple[int, int, int], how: Postprocess, pairs: int) -> None:
    """Ours also displaces, sorts and rounds."""
    length, classes, fps = size
    scores = simulate(length, classes, fps)
    confidence = 1 / (1 + np.exp(-scores.logits.T.astype(np.float64)))
    reach = fps * (how.window if how.method == "soft_nms" else how.window / 2)

    def theirs() -> int:
        return sum(take_one_by_one(of_class, how, reach) for of_class in confidence)

    note(key, compare(lambda: decode(scores, how, fps), theirs, pairs))
