"""Small official trees for tests: a few rows per half, labels as given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from spotter.data.features import FeatureSource
from spotter.tasks import Task

TASK = Task.load(
    {"name": "hockey", "classes": ["Goal", "Foul"], "label_file": "L.json", "fps": 2, "monitor": "loose_map"}
)
Annotation = tuple[int, str, int]  # half, label, milliseconds


def write_game(
    root: Path,
    game: str,
    rows: Mapping[int, int],
    spots: Sequence[Annotation] | None = (),
    file: str = "feature",
    hidden: Sequence[int] = (),
) -> None:
    """Write a game with ``rows`` per half, each row its own index, and its spots; None writes no labels."""
    folder = root / game
    folder.mkdir(parents=True, exist_ok=True)
    for half, count in rows.items():
        np.save(folder / f"{half}_{file}.npy", np.arange(count, dtype=np.float16)[:, None] * np.ones(2, np.float16))
    if spots is not None:
        entries: list[dict[str, Any]] = [
            {
                "gameTime": f"{half} - {time // 60_000:02d}:{time // 1000 % 60:02d}",
                "label": label,
                "position": str(time),
                "visibility": "not shown" if i in hidden else "visible",
            }
            for i, (half, label, time) in enumerate(spots)
        ]
        (folder / TASK.label_file).write_bytes(orjson.dumps({"annotations": entries}))


def source_of(root: Path) -> FeatureSource:
    """Return a source of the rows that ``write_game`` writes."""
    return FeatureSource({"only": {"file": "feature", "fps": 1, "width": 2}}, root)
