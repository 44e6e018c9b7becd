"""A tree of full size that takes next to no room on disk: sparse feature files, and labels as many as real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson

from spotter.tasks import Task

ROWS, WIDTH = 2700, 8576
SPOTS = 220  # of a game


def sparse_tree(root: Path, games: tuple[int, int, int], dtype: str) -> Path:
    """Write label files, ``splits.json`` and files of zeros that occupy no blocks, for train, valid and test."""
    task, rng = Task.load("soccernet-v2"), np.random.default_rng(0)
    splits = {
        split: [f"league/season/{split} {number}" for number in range(count)]
        for split, count in zip(("train", "valid", "test"), games, strict=True)
    }
    for game in (game for names in splits.values() for game in names):
        folder = root / game
        folder.mkdir(parents=True)
        for half in (1, 2):
            file = np.lib.format.open_memmap(
                folder / f"{half}_baidu_soccer_embeddings.npy", "w+", np.dtype(dtype), (ROWS, WIDTH)
            )
            del file
        halves, places = rng.integers(1, 3, SPOTS).tolist(), rng.integers(0, 2_700_000, SPOTS).tolist()
        spots = sorted(zip(halves, places, strict=True))
        annotations = [
            {
                "gameTime": f"{half} - {ms // 60000:02d}:{ms // 1000 % 60:02d}",
                "label": task.classes[int(rng.integers(17))],
                "position": str(ms),
                "team": "home",
                "visibility": "visible",
            }
            for half, ms in spots
        ]
        content = {"UrlLocal": f"{game}/", "annotations": annotations}
        (folder / task.label_file).write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    (root / "splits.json").write_bytes(orjson.dumps(splits))
    return root
