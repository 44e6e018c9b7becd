"""Statistics of a data set: games, halves, hours and spots per class of each split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from rich.table import Table

from spotter.tasks import Task
from spotter.types import HalfRecord


class SplitStatistics(TypedDict):
    """Count what a split holds; ``not_shown`` are those of its ``spots`` that the broadcast does not show."""

    games: int
    halves: int
    hours: float
    spots: int
    not_shown: int
    per_class: dict[str, int]


def dataset_statistics(
    records: Mapping[str, Sequence[HalfRecord]], task: Task, fps: float
) -> dict[str, SplitStatistics]:
    """Count each split; ``fps`` is the frames per second of its halves."""
    return {split: _count(halves, task, fps) for split, halves in records.items()}


def _count(halves: Sequence[HalfRecord], task: Task, fps: float) -> SplitStatistics:
    spots = [record.spots for record in halves if record.spots is not None]
    counts = class_counts(halves, len(task.classes))
    return {
        "games": len({record.half.game for record in halves}),
        "halves": len(halves),
        "hours": round(sum(record.frames for record in halves) / fps / 3600, 2),
        "spots": int(counts.sum()),
        "not_shown": int(sum(np.sum(~each.visible) for each in spots)),
        "per_class": {name: int(count) for name, count in zip(task.classes, counts, strict=True)},
    }


def class_counts(halves: Sequence[HalfRecord], classes: int) -> np.ndarray:
    """Return the number of spots per class (K,)."""
    labels = [record.spots.label for record in halves if record.spots is not None]
    return np.bincount(np.concatenate([np.empty(0, np.int64), *labels]), minlength=classes)


def statistics_table(counts: Mapping[str, SplitStatistics]) -> Table:
    """Return the statistics as a table for the terminal, one column per split."""
    table = Table(title="data", title_justify="left")
    table.add_column("")
    for split in counts:
        table.add_column(split, justify="right")
    table.add_row("games", *(f"{count['games']:,}" for count in counts.values()))
    table.add_row("halves", *(f"{count['halves']:,}" for count in counts.values()))
    table.add_row("hours", *(f"{count['hours']:,}" for count in counts.values()))
    table.add_row("spots", *(f"{count['spots']:,}" for count in counts.values()))
    table.add_row("not shown", *(f"{count['not_shown']:,}" for count in counts.values()))
    table.add_section()
    for name in next(iter(counts.values()))["per_class"]:
        table.add_row(name, *(f"{count['per_class'][name]:,}" for count in counts.values()))
    return table
