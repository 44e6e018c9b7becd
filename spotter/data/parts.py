"""What all sources have in common that read parts of another source's halves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spotter.data.rows import RowReader
from spotter.data.source import InputSpec, Source
from spotter.types import Half


class PartSource:
    """Ask another source for what concerns whole halves; where parts lie, and how they are read, is left to say.

    whole : reads the halves that parts are of
    """

    def __init__(self, whole: Source) -> None:
        self.whole = whole

    @property
    def spec(self) -> InputSpec:
        """Return the description of the input."""
        return self.whole.spec

    @property
    def fps(self) -> float:
        """Return the frames per second."""
        return self.whole.fps

    def whole_half(self, half: Half) -> Half:
        """Return the half that a part is of."""
        return half

    def missing(self, half: Half) -> list[Path]:
        """Return the files that the whole half lacks."""
        return self.whole.missing(self.whole_half(half))

    def rows(self, half: Half) -> Iterable[tuple[str, RowReader]]:
        """Return the feature rows of the whole half."""
        return self.whole.rows(self.whole_half(half))

    def video(self, half: Half) -> Path | None:
        """Return the video that shows the whole half to people, if there is one."""
        return self.whole.video(self.whole_half(half))

    def native_fps(self, half: Half) -> float | None:
        """Return the frames per second of the stored file, None where they are unknown."""
        return self.whole.native_fps(self.whole_half(half))
