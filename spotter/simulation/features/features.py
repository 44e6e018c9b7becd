"""Simulate what feature extractors return for a broadcast: columns with noise, gain and offset."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spotter.simulation.features.scene import CONCEPT, Parts
from spotter.simulation.seeds import generator
from spotter.types import Half

EXTRACTORS = (2048, 2048, 384, 2048, 2048)  # columns of the five extractors behind the Baidu features
NOISE = np.array([0.20, 0.18, 0.10, 0.22, 0.20])  # of each extractor, beside concepts of strength 1
SHARED_NOISE = 0.08  # that all extractors have in common
COLUMN_NOISE = 0.06  # that every column has for itself
NUISANCE = 10  # directions that show the stadium, the light, the camera, and no concept
SUPPORT = 5.0  # seconds of video that one row sees
MEMORY = 3.0  # seconds over which noise persists
CHUNK = 256  # rows made at a time


@dataclass(frozen=True, slots=True)
class FeatureFile:
    """Describe one feature file of every half: its name without half and suffix, its rate, its number of columns."""

    name: str
    fps: float
    width: int

    @property
    def groups(self) -> list[int]:
        """Return the columns of each extractor, in the proportion of the Baidu features."""
        edges = np.round(np.cumsum((0, *EXTRACTORS)) / sum(EXTRACTORS) * self.width)
        return np.diff(edges.astype(int)).tolist()

    def encode(self, seed: int, half: Half, parts: Parts, seconds: float) -> bytes:
        """Return the features of a half, (T, width) float16, as the bytes of its ``.npy`` file."""
        latent = self._latent(seed, half, parts, seconds)
        content = io.BytesIO()
        header = {"descr": "<f2", "fortran_order": False, "shape": (len(latent), self.width)}
        np.lib.format.write_array_header_1_0(content, header)
        for rows in self._rows(seed, half, latent):
            content.write(rows.astype("<f2").tobytes())
        return content.getvalue()

    def extractors(self, seed: int) -> tuple[list[NDArray[np.float64]], NDArray[np.float64], NDArray[np.float64]]:
        """Return each extractor's projection (latent, columns), and each column's mean and scale, (width,)."""
        rng = generator(seed, self.name)
        latent = len(CONCEPT) + NUISANCE
        sensitivity = np.exp(0.4 * rng.standard_normal((len(EXTRACTORS), latent, 1)))
        projections = [
            sensitive * rng.standard_normal((latent, columns)) / np.sqrt(latent)
            for sensitive, columns in zip(sensitivity, self.groups, strict=True)
        ]
        return projections, rng.standard_normal(self.width), np.exp(0.3 * rng.standard_normal(self.width))

    def _rows(self, seed: int, half: Half, latent: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
        """Project the extractors' activations onto the columns, chunk by chunk.

        In double precision, so that differences of rounding between processors do not show in float16.
        """
        projections, mean, scale = self.extractors(seed)
        of_game = generator(seed, self.name, half.game)
        gain = np.exp(0.15 * of_game.standard_normal(len(EXTRACTORS)))
        mean = mean + 0.3 * of_game.standard_normal(self.width)
        scale = scale * np.repeat(gain, self.groups)
        rng = generator(seed, self.name, half.game, half.number, "columns")
        for first in range(0, len(latent), CHUNK):
            activation = latent[first : first + CHUNK].transpose(1, 0, 2)
            rows = np.concatenate([each @ weight for each, weight in zip(activation, projections, strict=True)], axis=1)
            yield scale * (rows + mean + COLUMN_NOISE * rng.standard_normal(rows.shape, dtype=np.float32))

    def _latent(self, seed: int, half: Half, parts: Parts, seconds: float) -> NDArray[np.float64]:
        """Return each extractor's activation for each concept and nuisance direction, (T, extractors, latent)."""
        times = np.arange(max(1, int(seconds * self.fps))) / self.fps
        rng = generator(seed, self.name, half.game, half.number)
        noise = rng.standard_normal((len(times), 1 + len(EXTRACTORS), len(CONCEPT) + NUISANCE))
        keep = np.exp(-1 / (self.fps * MEMORY))
        noise[1:] *= np.sqrt(1 - keep**2)
        for now in range(1, len(times)):
            noise[now] += keep * noise[now - 1]
        latent = SHARED_NOISE * noise[:, :1] + NOISE[:, None] * noise[:, 1:]
        latent[:, :, : len(CONCEPT)] += parts.activation(times, SUPPORT)[:, None]
        return latent
