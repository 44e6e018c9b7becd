"""The path of the camera, which follows the ball with a delay, shakes and zooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spotter.simulation.seeds import generator
from spotter.simulation.video.squad import PITCH, Array

LAG = 0.22  # seconds; twice that is how late the image is
SHAKE = ((0.35, 0.25), (2.5, 1.6))  # seconds and metres of what the camera does by itself
WINDOW = (13.0, 16.0)  # metres that an image is wide, of a game
BREATH, BREATHS = 0.08, 12.0  # fraction by which that changes, and the seconds it takes
EDGE = (7.0, 5.0)  # metres from the lines that the middle of the image keeps
TILT = 0.55  # how much shorter a metre away from the camera looks than one across
DEPTH = 0.45  # by how much nearer things look larger, from the top to the bottom of the image
UPRIGHT = 0.85  # how much shorter a metre upwards looks


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """Hold what is in the middle of every image, (T, 2) metres, and how wide the image is there, (T,) metres."""

    middle: Array
    window: Array

    @classmethod
    def follow(cls, ball: Array, fps: float, seed: int, game: str, edge: tuple[float, float] = EDGE) -> Camera:
        """Follow the ball's path (T, 3), up to metres ``edge`` from the lines."""
        length = len(ball)
        lag = np.arange(1, max(2, int(8 * LAG * fps)) + 1) / fps
        weight = lag * np.exp(-lag / LAG)
        middle = _blur(ball[:, :2], weight / weight.sum(), before=len(lag) - 1)
        time = np.arange(length) / fps
        for seconds, metres in SHAKE:
            middle += metres * _drift(time, seconds, 2, generator(seed, "shake", game, str(seconds)))
        rng = generator(seed, "zoom", game)
        window = rng.uniform(*WINDOW) * (1 + BREATH * _drift(time, BREATHS, 1, rng)[:, 0])
        return cls(np.clip(middle, edge, PITCH - edge), window)


def _blur(values: Array, weight: Array, before: int) -> Array:
    """Average rows (T, C) over the last ones by ``weight``, newest first."""
    padded = np.pad(values, ((before, 0), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, weight, mode="valid") for column in padded.T], axis=1)


def _drift(time: Array, seconds: float, columns: int, rng: np.random.Generator) -> Array:
    """Return smooth chance at times (T,), (T, columns), of deviation 1, that changes within ``seconds``."""
    knots = rng.standard_normal((int(time[-1] / seconds) + 4, columns)) if len(time) else np.zeros((4, columns))
    at = time / seconds + 1
    low = at.astype(int)
    u = (at - low)[:, None]
    spline = ((1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3)
    mixed = sum(weight * knots[low + shift] for shift, weight in zip((-1, 0, 1, 2), spline, strict=True))
    return np.asarray(mixed) / 6 / 0.69  # of independent knots, the spline leaves 0.69
