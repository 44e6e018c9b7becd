"""A fitted text model: what every word says of topics and of actions, applied by look-up in NumPy alone."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spotter.bounded import load_arrays, parse_json
from spotter.data.commentary.words import SPEECH, speech_rows, spoken_terms
from spotter.errors import UserError
from spotter.io.files import json_bytes
from spotter.io.transcripts.segments import Transcript

VERSION = 1
NONE = "no text model of commentary; make it by spotter prepare"
TEXT_MODEL = "_text_model.npz"  # what follows the name of the features in the name of its file


@dataclass(frozen=True, eq=False)
class TextModel:
    """Turn a transcript into feature rows: C topic components, four numbers on speech itself, and E of evidence.

    fps : rows per second
    terms : V words and pairs of words
    rarity : (V,) float32, the inverse document frequency of each term
    components : (V, C) float32, latent semantic analysis of the seconds of the training split
    evidence : (V, E) float32, how much more often than elsewhere each term is said at some distance from an action of
        each class; E is 0 where no labels were at hand

    Both are numbers that float16 holds, as the file does.
    """

    fps: float
    terms: tuple[str, ...]
    rarity: NDArray[np.float32]
    components: NDArray[np.float32]
    evidence: NDArray[np.float32]

    @property
    def groups(self) -> list[int]:
        """Return the widths of the parts of a row."""
        parts = (self.components.shape[1], len(SPEECH), self.evidence.shape[1])
        return [width for width in parts if width]

    @cached_property
    def index(self) -> dict[str, int]:
        """Return the index of every term."""
        return {term: index for index, term in enumerate(self.terms)}

    def features(
        self, transcript: Transcript, rows: int | None = None, evidence: NDArray[np.float32] | None = None
    ) -> NDArray[np.float16]:
        """Return the feature rows of a half, (rows, sum of groups); row i covers ``i / fps`` to ``(i + 1) / fps``.

        rows : None for as many as the transcript covers, at least one
        evidence : in place of the model's own, (V, E)
        """
        if rows is None:
            rows = max(1, int(np.ceil(transcript.seconds * self.fps)))
        row, term, count = count_terms(transcript, self.index, rows, self.fps)
        topics = sum_rows(self.components, row, term, self._weight(row, term, count), rows)
        says = sum_rows(self.evidence if evidence is None else evidence, row, term, count, rows)
        return np.concatenate([topics, speech_rows(transcript, rows, self.fps), says], axis=1).astype(np.float16)

    def _weight(self, row: NDArray, term: NDArray, count: NDArray) -> NDArray[np.float32]:
        """Return tf-idf, of length one in every row."""
        weight = count * self.rarity[term]
        square = np.bincount(row, weight**2)
        return (weight / np.sqrt(square[row])).astype(np.float32)

    def dump(self) -> bytes:
        """Return the content of an ``.npz`` of plain arrays, with terms and facts as JSON within."""
        about = json_bytes({"version": VERSION, "fps": self.fps, "terms": self.terms})
        content = io.BytesIO()
        np.savez(
            content,
            about=np.frombuffer(about, np.uint8),
            rarity=self.rarity,
            components=self.components.astype(np.float16),
            evidence=self.evidence.astype(np.float16),
        )
        return content.getvalue()

    @classmethod
    def parse(cls, content: bytes, where: str) -> Self:
        """Return the model that ``dump`` wrote; raises UserError, beginning with ``where``, for anything else."""
        try:
            arrays = load_arrays(io.BytesIO(content), where, NONE)
            about: Any = parse_json(arrays["about"].tobytes(), where, NONE)
            if about["version"] != VERSION:
                raise ValueError(f"of version {about['version']}, this spotter reads {VERSION}")
            model = cls(
                float(about["fps"]),
                tuple(about["terms"]),
                arrays["rarity"].astype(np.float32),
                arrays["components"].astype(np.float32),
                arrays["evidence"].astype(np.float32),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{where}: {NONE} ({error})") from error
        shapes = [array.shape for array in (model.rarity, model.components, model.evidence)]
        if [len(shape) for shape in shapes] != [1, 2, 2] or any(shape[0] != len(model.terms) for shape in shapes):
            raise UserError(f"{where}: damaged, the arrays of its text model do not fit its terms")
        return model


def count_terms(
    transcript: Transcript, index: Mapping[str, int], rows: int, fps: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return row, term and how often it is said there, sorted by row; terms unknown or beyond the rows are left out."""
    times, terms = spoken_terms(transcript)
    found = np.array([index.get(term, -1) for term in terms], np.int64)
    row = np.floor(times * fps).astype(np.int64)
    known = (found >= 0) & (row < rows)
    cells, count = np.unique(row[known] * len(index) + found[known], return_counts=True)
    return cells // max(1, len(index)), cells % max(1, len(index)), count.astype(np.float32)


def sum_rows(
    vectors: NDArray[np.float32], row: NDArray, term: NDArray, weight: NDArray[np.float32], rows: int
) -> NDArray[np.float32]:
    """Return the weighted sum of the terms' vectors (V, D) in each row, (rows, D); ``row`` is sorted."""
    out = np.zeros((rows, vectors.shape[1]), np.float32)
    begins = np.flatnonzero(np.diff(row, prepend=-1))
    counts = np.diff(begins, append=len(row))
    for place in range(counts.max(initial=0)):  # the first terms of all rows, then the second: no row comes twice
        mine = begins[counts > place] + place
        out[row[mine]] += vectors[term[mine]] * weight[mine, None]
    return out
