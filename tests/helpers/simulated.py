"""Entries of label and prediction files for tests: single ones, and hypothesis strategies for whole games."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from spotter.tasks import Task

Entry = dict[str, Any]


def goal(position: Any, label: str = "Goal", half: int = 1, **more: Any) -> Entry:
    return {"gameTime": f"{half} - 00:00", "label": label, "position": position, **more}


def guess(position: Any, confidence: Any = "0.5", label: str = "Goal", half: Any = "1") -> Entry:
    return {"position": position, "label": label, "half": half, "confidence": confidence}


def instants() -> st.SearchStrategy[int]:
    special = [-7_200_000, -1000, -500, -499, -1, 0, 7_199_499, 7_199_500, 7_200_000, 9_000_000]
    return st.one_of(
        st.integers(0, 4_000),
        st.integers(0, 400).map(lambda frame: 40 * frame),
        st.integers(0, 60_000),
        st.sampled_from(special),
    )


def positions() -> st.SearchStrategy[Any]:
    return st.one_of(instants(), instants().map(str), instants().map(lambda position: position + 0.7))


def labels(task: Task) -> st.SearchStrategy[Entry]:
    clock = st.builds(
        "{} - {:02d}:{:02d}".format,
        st.sampled_from([1, 1, 2, 3]),
        st.sampled_from([0, 0, 0, 1, 130]),
        st.integers(0, 59),
    )
    return st.fixed_dictionaries(
        {"gameTime": clock, "label": st.sampled_from([*task.classes, "Unheard of"])},
        optional={
            "position": positions(),
            "visibility": st.sampled_from(["visible", "not shown", "not shown", "other"]),
        },
    )


def predictions(task: Task) -> st.SearchStrategy[Entry]:
    odd = st.sampled_from([0, -0.0, -0.5, 1, 1.5, None, "nan", "inf", True, "1e-3", 0.5])
    exact = st.integers(0, 199).map(lambda step: float(np.linspace(0, 1, 200)[step]))
    chance = st.floats(0, 1)
    return st.fixed_dictionaries(
        {
            "position": positions(),
            "half": st.sampled_from(["1", "1", "2", 1, 2.0, "3"]),
            "label": st.sampled_from([*task.classes, "Unheard of"]),
            "confidence": st.one_of(chance, chance.map(repr), exact, odd),
        }
    )


def games(task: Task, most: int) -> st.SearchStrategy[tuple[list[Entry], list[Entry]]]:
    def few_or_many(entries: st.SearchStrategy[Entry], most: int) -> st.SearchStrategy[list[Entry]]:
        return st.one_of(st.lists(entries, max_size=3), st.lists(entries, min_size=most // 2, max_size=most))

    return st.tuples(few_or_many(labels(task), most), few_or_many(predictions(task), 2 * most))


def crowded(task: Task) -> st.SearchStrategy[tuple[list[Entry], list[Entry]]]:
    """Return games where events and detections of a class compete for few frames, more than lists of entries do."""

    def simulate(seed: int) -> tuple[list[Entry], list[Entry]]:
        rng = np.random.default_rng(seed)
        grid, length = 1000 // task.fps, rng.integers(20, 120)
        events = zip(rng.integers(0, length, 20), rng.choice(task.classes, 20), rng.integers(1, 3, 20), strict=True)
        guesses = zip(rng.integers(0, length, 60), rng.choice(task.classes, 60), rng.integers(1, 3, 60), strict=True)
        seen = rng.choice(["visible", "not shown"], 20).tolist()
        return (
            [goal(int(at) * grid, str(n), int(h), visibility=seen.pop()) for at, n, h in events],
            [guess(int(at) * grid, int(rng.integers(0, 9)) / 8, str(n), int(h)) for at, n, h in guesses],
        )

    return st.integers(0, 2**32).map(simulate)
