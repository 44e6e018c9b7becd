"""An annotation format of a user's own, added from outside the package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from spotter.io.formats import register_format
from spotter.tasks import Task
from spotter.types import Half, Spots


class Lines:
    """One text file of all games: ``game;half;seconds;class`` on each line."""

    def games(self, root: str | Path, task: Task) -> list[str]:
        return sorted({line.split(";")[0] for line in self._lines(root, task)})

    def missing(self, root: str | Path, games: Iterable[str], task: Task) -> dict[str, Path]:
        known = self.games(root, task)
        return {game: Path(root, task.label_file) for game in games if game not in known}

    def read(self, root: str | Path, games: Iterable[str], task: Task) -> dict[Half, Spots]:
        halves = {Half(game, number): Spots.empty() for game in games for number in task.halves}
        for game, number, seconds, name in (line.split(";") for line in self._lines(root, task)):
            index, half = task.class_of({task.class_key: name}), Half(game, int(number))
            if half in halves and index is not None:
                old = halves[half]
                halves[half] = Spots(
                    np.append(old.label, index), np.append(old.time, float(seconds)), np.append(old.visible, True)
                )
        return halves

    def write(self, root: str | Path, labels: Mapping[Half, Spots], task: Task) -> None:
        lines = [
            f"{half.game};{half.number};{time};{task.entry_of(label)[task.class_key]}"
            for half, rows in labels.items()
            for label, time in zip(rows.label.tolist(), rows.time.tolist(), strict=True)
        ]
        Path(root, task.label_file).write_text("\n".join(lines), encoding="utf-8")

    def _lines(self, root: str | Path, task: Task) -> list[str]:
        return Path(root, task.label_file).read_text(encoding="utf-8").splitlines()


register_format("lines", Lines())
