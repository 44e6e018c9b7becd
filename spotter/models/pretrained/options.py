"""How a released checkpoint was trained, as far as its file does not hold it."""

from __future__ import annotations

from dataclasses import dataclass

from spotter.errors import UsageError


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Hold what a file lacks; None for what its codebase did by default.

    task : name or YAML file
    fps : frames, or rows of features, per second
    window : seconds, of pooling baselines
    features : the file's name after ``1_``, of pooling baselines
    pool : ``max`` or ``mean``, of pooling baselines whose pool has no weights
    clip_len : frames, of E2E-Spot without its ``config.json``
    threshold : of the regions of AdaSpot
    """

    task: str | None = None
    fps: str | None = None
    window: float | None = None
    features: str | None = None
    pool: str | None = None
    clip_len: int | None = None
    threshold: float | None = None

    def refuse(self, kind: str, *names: str) -> None:
        """Raise UsageError where one of the options is given that ``kind`` has no use for."""
        for name in names:
            if getattr(self, name) is not None:
                raise UsageError(f"--{name}: not for {kind}; leave it out")
