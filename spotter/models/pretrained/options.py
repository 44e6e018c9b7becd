"""How a released checkpoint was trained, as far as its file does not hold it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Hold what a file lacks; None for what its codebase did by default.

    task : name or YAML file
    fps : frames, or rows of features, per second
    window : seconds, of pooling baselines
    features : the file's name behind ``1_``, of pooling baselines
    pool : ``max`` or ``mean``, of pooling baselines whose pool has no weights
    clip_len : frames, of E2E-Spot without its ``config.json``
    """

    task: str | None = None
    fps: str | None = None
    window: float | None = None
    features: str | None = None
    pool: str | None = None
    clip_len: int | None = None
