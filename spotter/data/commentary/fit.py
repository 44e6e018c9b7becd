"""Fit a text model on the training games: topics from their words alone, evidence from words and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import eigsh

from spotter.data.commentary.text_model import TextModel, count_terms
from spotter.data.commentary.words import spoken_terms
from spotter.errors import UserError
from spotter.io.transcripts.segments import Transcript
from spotter.types import Half, Spots

LAGS = ((-30, -10), (-10, -3), (-3, 1), (1, 4), (4, 8), (8, 15), (15, 30))  # seconds from an action to a word
SHRINK = 100.0  # how often a term has to be said until what it says counts as much as what all terms say
FOLDS = 6
DENSE = 1024  # terms up to which all eigenvectors are computed, and the wanted ones taken


@dataclass(frozen=True, eq=False)
class TrainingHalf:
    """Hold what is known of a half to fit on: what is said, its length in rows, and its spots, if they are known."""

    transcript: Transcript
    rows: int
    spots: Spots | None


@dataclass(frozen=True, eq=False)
class FittedText:
    """Hold a text model, and the evidence that each training game gets, of a model that did not see its labels.

    folds : the fold of each training game; empty where there are no labels
    evidence : per fold (V, E), counted in all other folds
    """

    model: TextModel
    folds: Mapping[str, int]
    evidence: Sequence[NDArray[np.float32]]

    def evidence_for(self, game: str) -> NDArray[np.float32] | None:
        """Return what takes the place of the model's own evidence in this game; None for games not trained on."""
        return self.evidence[self.folds[game]] if game in self.folds else None


def fit_text_model(
    halves: Mapping[Half, TrainingHalf], fps: float, classes: int, components: int = 256, least: int = 20
) -> FittedText:
    """Fit on the halves of the training split; what they hold in ``spots`` is used where every one has some.

    fps : rows per second
    classes : K, of the spots' labels
    components : C, at most; fewer where there are fewer terms
    least : in how many halves a term has to be said to count, so that names of few games do not

    Raises UserError where so few terms are left that there is nothing to fit.
    """
    terms = frequent_terms((half.transcript for half in halves.values()), least)
    if len(terms) < 2:
        raise UserError(f"only {len(terms)} words are said in {least} halves of the training games: lower --min-halves")
    index = {term: number for number, term in enumerate(terms)}
    said = {half: _said(each, index, fps) for half, each in halves.items()}
    rarity, axes = _topics(sparse.vstack(list(said.values())).tocsr(), components)
    folds = _folds(halves)
    evidence = [np.zeros((len(terms), 0), np.float32)]
    if folds:
        evidence = _evidence(halves, said, folds, fps, classes)
    *left_out, whole = evidence
    return FittedText(TextModel(fps, terms, rarity, axes, whole), folds, left_out)


def frequent_terms(transcripts: Iterable[Transcript], least: int) -> tuple[str, ...]:
    """Return the terms, sorted, that at least ``least`` transcripts have."""
    counts: Counter[str] = Counter()
    for transcript in transcripts:
        counts.update(set(spoken_terms(transcript)[1]))
    return tuple(sorted(term for term, count in counts.items() if count >= least))


def _said(half: TrainingHalf, index: Mapping[str, int], fps: float) -> sparse.csr_matrix:
    """Return how often each term is said in each row, (rows, V)."""
    row, term, count = count_terms(half.transcript, index, half.rows, fps)
    return sparse.csr_matrix((count, (row, term)), shape=(half.rows, len(index)))


def _topics(said: sparse.csr_matrix, components: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the rarity (V,) of the terms, and their latent semantic analysis (V, C): the axes of most variance.

    They are the right singular vectors of the tf-idf of all rows, here from its sparse Gram matrix.
    """
    said = said[np.diff(said.indptr) > 0]
    seconds = np.bincount(said.indices, minlength=said.shape[1])
    rarity = (np.log((1 + said.shape[0]) / (1 + seconds)) + 1).astype(np.float32)
    weighted = said.multiply(rarity).tocsr()
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    weighted = sparse.diags(1 / length) @ weighted
    gram = (weighted.T @ weighted).astype(np.float64)
    count = min(components, said.shape[1])
    if said.shape[1] <= max(DENSE, count + 1):
        axes = np.linalg.eigh(gram.toarray())[1][:, ::-1][:, :count]
    else:
        values, vectors = eigsh(gram, count, v0=np.ones(gram.shape[0]))
        axes = vectors[:, np.argsort(-values)]
    largest = np.abs(axes).argmax(axis=0)
    return rarity, _rounded(axes * np.sign(axes[largest, np.arange(count)]))


def _folds(halves: Mapping[Half, TrainingHalf]) -> dict[str, int]:
    """Return the fold of every game; none where labels are missing, or there is one game only."""
    games = sorted({half.game for half in halves})
    if len(games) < 2 or any(half.spots is None for half in halves.values()):
        return {}
    return {game: number % min(FOLDS, len(games)) for number, game in enumerate(games)}


def _evidence(
    halves: Mapping[Half, TrainingHalf],
    said: Mapping[Half, sparse.csr_matrix],
    folds: Mapping[str, int],
    fps: float,
    classes: int,
) -> list[NDArray[np.float32]]:
    """Return the evidence (V, K * lags) without each fold, and that of all folds."""
    terms = next(iter(said.values())).shape[1]
    number = max(folds.values()) + 1
    times, together = np.zeros((number, terms)), np.zeros((number, terms, classes * len(LAGS)))
    for fold in range(number):
        mine = [half for half in halves if folds[half.game] == fold]
        words = sparse.vstack([said[half] for half in mine])
        near = sparse.vstack([_near(halves[half], fps, classes) for half in mine])
        times[fold], together[fold] = np.asarray(words.sum(axis=0)).ravel(), (words.T @ near).toarray()
    all_times, all_together = times.sum(axis=0), together.sum(axis=0)
    left_out = [_log_ratio(all_times - times[fold], all_together - together[fold]) for fold in range(number)]
    return [*left_out, _log_ratio(all_times, all_together)]


def _near(half: TrainingHalf, fps: float, classes: int) -> sparse.csr_matrix:
    """Return which rows lie at which of the LAGS from a spot of which class, (rows, lags * K)."""
    spots = half.spots or Spots.empty()
    out = np.zeros((half.rows, len(LAGS), classes), np.float32)
    for lag, (low, high) in enumerate(LAGS):
        first = np.clip(np.ceil((spots.time + low) * fps - 0.5), 0, half.rows).astype(np.int64)
        last = np.clip(np.ceil((spots.time + high) * fps - 0.5), 0, half.rows).astype(np.int64)
        for begin, end, label in zip(first.tolist(), last.tolist(), spots.label.tolist(), strict=True):
            out[begin:end, lag, label] = 1
    return sparse.csr_matrix(out.reshape(half.rows, -1))


def _log_ratio(times: NDArray[np.float64], together: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return how much more often than all terms each is near a spot, as a logarithm, shrunk towards 0 for rare terms.

    times : (V,) how often each term is said
    together : (V, E) how often near a spot of each kind
    """
    share = together.sum(axis=0) / max(1.0, times.sum())
    known = np.maximum(share, 1e-12)
    ratio = (together / known + SHRINK) / (times[:, None] + SHRINK)
    return _rounded(np.where(share > 0, np.log(np.maximum(ratio, 1e-6)), 0))


def _rounded(array: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what is left of an array when its file, in float16, is read again."""
    return array.astype(np.float16).astype(np.float32)
