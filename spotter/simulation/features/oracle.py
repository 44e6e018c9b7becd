"""An upper bound for scores on simulated features: a matched filter that knows the simulation.

It finds one spot after another, the most evident first. It knows the scripts, the extractors and the statistics
of all noise, but no labels, nor what any half drew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spotter.errors import UserError
from spotter.inference.decode import decode
from spotter.io.predictions import write_predictions
from spotter.io.scores import Scores
from spotter.io.splits import load_splits
from spotter.settings import Postprocess
from spotter.simulation.features.features import COLUMN_NOISE, MEMORY, NOISE, SHARED_NOISE, SUPPORT, FeatureFile
from spotter.simulation.features.matches import draw_spots
from spotter.simulation.features.scene import CONCEPT, HIDDEN, OMITTED, Parts, script_parts, stage
from spotter.simulation.features.transitions import NOT_SHOWN
from spotter.simulation.features.tree import feature_path
from spotter.simulation.tree import read_record
from spotter.tasks import Task
from spotter.types import Half

SPAN = 128  # rows of a signature and its surroundings
GRID = 4  # places of a spot between two rows
RIVAL_ROWS = 2  # rows over which explanations of the same evidence compete
TRUST = 0.6  # in evidence, since parts vary more than the filter supposes
REHEARSALS, SECONDS = 6, 2700.0  # simulated halves that the statistics come from
FLOOR = 1e-6  # confidence where there is no evidence
SUPPRESSION = Postprocess("soft_nms", window=4.0, threshold=1e-5)


def write_oracle(root: str | Path, out: str | Path, file: str) -> None:
    """Write the oracle's predictions for the test split of a simulated tree, by one of its feature files."""
    task, record = Task.load("soccernet-v2"), read_record(root, "features")
    entry = record["files"][file]
    oracle = Oracle.build(task, record["seed"], FeatureFile(file, entry["fps"], entry["width"]))
    halves = [Half(game, number) for game in load_splits(task, root)["test"] for number in task.halves]
    if not halves:
        raise UserError(f"{root}: has no game in split test: simulate some by --games")
    scores = {half: oracle.score(np.load(feature_path(root, half, file))) for half in halves}
    write_predictions(out, {half: decode(scores[half], SUPPRESSION, task.fps, task.sides) for half in halves}, task)


@dataclass(frozen=True, slots=True, eq=False)
class Oracle:
    """Hold the expected signature of every class in one feature file.

    unmix : from columns to the best linear estimate of concepts, (width, concepts)
    filters : what to correlate the estimate with, (classes * GRID, SPAN, concepts)
    overlap : the filters' response to each signature, (filters, signatures, 2 * SPAN - 1)
    prior : logarithm of the rate of shown and of hidden spots, (2, classes * GRID, 1)
    """

    fps: float
    unmix: NDArray[np.float64]
    filters: NDArray[np.float64]
    overlap: NDArray[np.float64]
    prior: NDArray[np.float64]

    @classmethod
    def build(cls, task: Task, seed: int, features: FeatureFile) -> Oracle:
        """Work out the filters for a feature file of a simulated tree of ``seed``."""
        unmix, covariance = _unmix(features, seed)
        spectrum, rate = _rehearse(task, features.fps)
        keep, angle = np.exp(-1 / (features.fps * MEMORY)), 2 * np.pi * np.fft.rfftfreq(SPAN)
        noise = (1 - keep**2) / np.abs(1 - keep * np.exp(-1j * angle)) ** 2
        signatures = _signatures(task, features.fps)
        content = np.fft.rfft(signatures, axis=1).transpose(1, 2, 0)
        whitened = np.linalg.solve(spectrum + noise[:, None, None] * covariance, content)
        filters = np.fft.irfft(whitened.transpose(2, 0, 1), SPAN, axis=1)
        hidden = np.array([NOT_SHOWN.get(name, 0.1) / 100 for name in task.classes])
        prior = np.log(np.repeat(rate / GRID * [1 - hidden, hidden], GRID, axis=1))[..., None]
        return cls(features.fps, unmix, filters, _correlate(signatures, filters), prior)

    def score(self, rows: NDArray[np.floating]) -> Scores:
        """Return the scores of one half's features, (T, width), with ``GRID`` anchors per row."""
        estimate = rows.astype(np.float32) @ self.unmix.astype(np.float32)
        padded = np.pad(estimate - estimate.mean(0), ((SPAN // 2, SPAN - SPAN // 2 - 1), (0, 0)))
        response = _correlate(padded[None], self.filters)[:, 0, SPAN - 1 : SPAN - 1 + len(rows)]
        belief = self._explain(response)
        logits = np.log(belief / (1 - belief)).reshape(-1, GRID, len(rows)).transpose(2, 1, 0)
        return Scores(logits.reshape(GRID * len(rows), -1).astype(np.float32), None, GRID * self.fps)

    def _explain(self, response: NDArray[np.float64]) -> NDArray[np.float64]:
        """Subtract the most evident spot until none is left; return the probability of every class and anchor."""
        evidence, hidden = self._evidence(response)
        found: list[tuple[int, int, float]] = []
        length = response.shape[1]
        while evidence.max() > 0 and len(found) < length:
            which, row = np.unravel_index(evidence.argmax(), evidence.shape)
            strength = HIDDEN if hidden[which, row] else 1.0
            found.append((int(which), int(row), strength))
            near = self._add(response, found[-1], -1)
            evidence[:, near], hidden[:, near] = self._evidence(response[:, near])
        belief = np.full(response.shape, FLOOR)
        for explained in found:
            near = slice(max(0, explained[1] - RIVAL_ROWS), explained[1] + RIVAL_ROWS + 1)
            self._add(response, explained, 1)
            rivals = _probability(self._evidence(response[:, near])[0], axis=None)
            self._add(response, explained, -1)
            belief[:, near] = np.maximum(belief[:, near], rivals)
        return np.clip(np.maximum(belief, _probability(evidence, axis=0)), FLOOR, 1 - FLOOR)

    def _evidence(self, response: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the log odds of a spot against none, and whether it would be a hidden one."""
        energy = np.diagonal(self.overlap[..., SPAN - 1])[:, None]
        shown, hidden = (
            TRUST * (strength * response - strength**2 * energy / 2) + prior
            for strength, prior in zip((1.0, HIDDEN), self.prior, strict=True)
        )
        return np.maximum(shown, hidden), hidden > shown

    def _add(self, response: NDArray[np.float64], explained: tuple[int, int, float], sign: int) -> slice:
        """Add a spot's signature to the response, or take it out; return the rows that changed."""
        which, row, strength = explained
        near = slice(max(0, row - SPAN + 1), row + SPAN)
        part = self.overlap[:, which, near.start - row + SPAN - 1 :][:, : response[:, near].shape[1]]
        response[:, near] += sign * strength * part
        return near


def _unmix(features: FeatureFile, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the best linear estimate of concepts from columns, (width, concepts), and the covariance of its error."""
    projections, _, scale = features.extractors(seed)
    latent = len(projections[0])
    weights = [
        np.linalg.solve(noise**2 * p @ p.T + COLUMN_NOISE**2 * np.eye(latent), p)
        for noise, p in zip(NOISE, projections, strict=True)
    ]
    information = sum((w @ p.T for w, p in zip(weights, projections, strict=True)), 1e-3 * np.eye(latent))
    error = np.linalg.inv(information)
    concepts = slice(len(CONCEPT))
    unmix = (error[concepts] @ np.concatenate(weights, axis=1) / scale).T
    return unmix, error[concepts, concepts] + SHARED_NOISE**2 * np.eye(len(CONCEPT))


def _rehearse(task: Task, fps: float) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Return the spectrum of what halves show, (SPAN // 2 + 1, concepts, concepts), and each class's spots per row."""
    rng = np.random.default_rng(0)
    taper = np.hanning(SPAN)[:, None] / np.linalg.norm(np.hanning(SPAN))
    pieces, count = [], np.full(len(task.classes), 0.3)
    for rehearsal in range(REHEARSALS):
        spots = draw_spots(task, 1 + rehearsal % 2, SECONDS, rng)
        count += np.bincount(spots.label, minlength=len(count))
        active = stage(task, spots, SECONDS, rng).activation(np.arange(int(SECONDS * fps)) / fps, SUPPORT)
        windows = np.lib.stride_tricks.sliding_window_view(active - active.mean(0), SPAN, axis=0)[:: SPAN // 2]
        pieces.append(np.fft.rfft(windows.transpose(0, 2, 1) * taper, axis=1))
    piece = np.concatenate(pieces).transpose(1, 2, 0)
    return piece @ piece.conj().transpose(0, 2, 1) / piece.shape[-1], count / (REHEARSALS * SECONDS * fps)


def _signatures(task: Task, fps: float) -> NDArray[np.float64]:
    """Return each class's expected activations around a spot at each place of the grid after row SPAN // 2."""
    of_class, script = script_parts(task)
    times = (np.arange(SPAN) - SPAN // 2) / fps
    delays = np.arange(GRID) / (GRID * fps)
    return np.array(
        [
            Parts(part.concept, part.start + delay, part.end + delay, (1 - OMITTED) * part.strength).activation(
                times, SUPPORT
            )
            for part in (script[of_class == label] for label in range(len(task.classes)))
            for delay in delays
        ]
    )


def _probability(evidence: NDArray[np.float64], axis: int | None) -> NDArray[np.float64]:
    """Return the probability of each of rival log odds along ``axis``, none of them being a possibility, too."""
    top = np.maximum(evidence.max(axis=axis, keepdims=True), 0)
    odds = np.exp(evidence - top)
    return odds / (np.exp(-top) + odds.sum(axis=axis, keepdims=True))


def _correlate(signals: NDArray[np.float64], filters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slide filters (F, SPAN, C) over signals (S, N, C): (F, S, N + SPAN - 1), where SPAN - 1 is no shift."""
    size = signals.shape[1] + SPAN - 1
    seen = np.fft.rfft(signals, size, axis=1).transpose(1, 2, 0)
    spectrum = np.fft.rfft(filters[:, ::-1], size, axis=1).transpose(1, 0, 2)
    return np.fft.irfft((spectrum @ seen).transpose(1, 2, 0), size, axis=-1)
