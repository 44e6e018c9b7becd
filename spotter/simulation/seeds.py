"""Random numbers for one purpose, the same whatever else is drawn."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return the random numbers that ``seed`` gives to a purpose, such as the scene of one half of one game."""
    return np.random.default_rng([seed, *(crc32(str(part).encode()) for part in purpose)])
