"""Where the input of a network comes from: what features and video have in common."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from spotter.errors import UserError
from spotter.types import Clip, Half

KINDS = {
    "features": "spotter.data.features.FeatureSource",
    "video": "spotter.data.video.source.VideoSource",
}


class Source(Protocol):
    """Read clips of halves, which lie in an official tree or where the source was told."""

    kind: str
    fps: float  # frames per second
    offset: float  # seconds of frame 0

    def missing(self, half: Half) -> list[Path]:
        """Return the files that the half lacks."""

    def length(self, half: Half) -> int:
        """Return the half's number of frames."""

    def read(
        self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the ``inputs`` and ``phase`` of a batch."""

    def video(self, half: Half) -> Path | None:
        """Return the video that shows the half to people, if there is one."""

    @property
    def layout(self) -> dict[str, dict[str, Any]]:
        """Return what a network sizes itself by."""

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a data config states once and its other keys refer to."""

    def describe(self) -> dict[str, Any]:
        """Return all that reading the same input elsewhere needs, as plain values."""


def load_source(
    description: Mapping[str, Any], root: str | Path | None = None, files: Mapping[Half, Any] | None = None
) -> Source:
    """Return the source that ``describe`` described, below another ``root`` or of single ``files``."""
    settings = {key: value for key, value in description.items() if key not in ("kind", "root")}
    if description.get("kind") not in KINDS:
        raise UserError(f"source: kind {description.get('kind')!r} is unknown: expected one of {', '.join(KINDS)}")
    module, _, name = KINDS[description["kind"]].rpartition(".")
    source: Source = getattr(importlib.import_module(module), name)(**settings, root=root, files=files)
    return source


class Excerpt:
    """Show only what lies between two moments of every half; times stay those of the half.

    start, end : seconds from the start of the half; None for its own end
    """

    def __init__(self, source: Source, start: float = 0.0, end: float | None = None) -> None:
        if end is not None and end <= start:
            raise UserError(f"end={end:g} must lie behind start={start:g}; both are seconds from the start of the half")
        self._source = source
        self.start, self.end = start, math.inf if end is None else end
        self.kind, self.fps = source.kind, source.fps
        self.first = max(0, math.ceil((start - source.offset) * source.fps - 1e-6))
        self.offset = source.offset + self.first / source.fps
        self.layout, self.facts = source.layout, source.facts
        self.missing, self.video, self.describe = source.missing, source.video, source.describe

    def length(self, half: Half) -> int:
        """Return the number of frames of the excerpt; raises UserError where the half ends before it."""
        last = self._source.length(half)
        if last <= self.first:
            ends = self._source.offset + last / self.fps
            raise UserError(f"start: {half.game!r} ends after {ends:.1f} seconds, before the part that is asked for")
        if self.end < math.inf:
            last = min(last, math.floor((self.end - self._source.offset) * self.fps + 1e-6) + 1)
        return max(1, last - self.first)

    def read(
        self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return clips of the half itself; frames around the excerpt serve as context."""
        return self._source.read(halves, [clip._replace(start=clip.start + self.first) for clip in clips], clip_len)
