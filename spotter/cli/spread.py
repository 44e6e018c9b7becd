"""Mean and deviation of a score over the runs of a system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return mean and sample deviation over seeds; a single one has none."""
    mean = {"mean": float(np.mean(values))}
    return mean | {"deviation": float(np.std(values, ddof=1))} if len(values) > 1 else mean


def percent(score: Mapping[str, float]) -> str:
    """Return what ``spread`` found, in percent."""
    mean = f"{100 * score['mean']:.1f}"
    return f"{mean} ± {100 * score['deviation']:.1f}" if "deviation" in score else mean
