"""What a released checkpoint does not tell about how it was trained, and a user may."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Hold what a file does not tell; None for what its codebase did by default.

    task : name or YAML file
    fps : frames, or rows of features, per second
    window : seconds, of pooling baselines
    features : the file's name behind ``1_``, of pooling baselines
    pool : ``max`` or ``mean``, of pooling baselines whose pool has no weights
    """

    task: str | None = None
    fps: str | None = None
    window: float | None = None
    features: str | None = None
    pool: str | None = None
