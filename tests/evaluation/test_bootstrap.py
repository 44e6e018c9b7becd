"""Resamples of games score as the official metric would score them; what is said of differences follows from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.evaluation.average_map import average_map
from spotter.evaluation.bootstrap import Array, compare_systems, draw_resamples, score_resamples
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

TASK = Task(name="small", classes=("Goal", "Foul", "Corner"), label_file="Labels-v2.json", fps=2, monitor="tight_map")
Labels, Predicted = dict[Half, Spots], dict[Half, HalfPredictions]


def season(seed: int, games: int, error: float = 2.0) -> tuple[Labels, Predicted]:
    """Return games of two crowded halves, the second often empty: jittered labels among false alarms, times tied."""
    rng = np.random.default_rng(seed)
    labels: Labels = {}
    predictions: Predicted = {}
    for half in (Half(f"game {number}", half) for number in range(games) for half in (1, 2)):
        count = int(rng.integers(0, 12)) * (half.number == 1 or rng.random() < 0.5)
        label, time = rng.integers(0, 3, count), rng.integers(0, 240, count) / 2
        labels[half] = Spots(label, time, rng.random(count) < 0.8)
        alarms = rng.integers(0, 3, 10), rng.integers(0, 240, 10) / 2
        guessed = np.maximum(time + rng.normal(0, error, count), 0)
        confidence = rng.integers(0, 200, count + 10) / 199
        predictions[half] = HalfPredictions(np.append(label, alarms[0]), np.append(guessed, alarms[1]), confidence)
    return labels, predictions


def repeated(labels: Labels, predictions: Predicted, weights: Array) -> tuple[Labels, Predicted]:
    """Return games as often as they are drawn, each under a name of its own."""
    games = list(dict.fromkeys(half.game for half in labels))
    drawn = {
        Half(f"{half.game} again {copy}", half.number): half
        for half in labels
        for copy in range(int(weights[games.index(half.game)]))
    }
    return {new: labels[old] for new, old in drawn.items()}, {new: predictions[old] for new, old in drawn.items()}


@settings(max_examples=25, derandomize=True)
@given(st.integers(0, 2**32), st.integers(1, 4), st.data())
def test_resample_scores_as_its_games_would(seed: int, games: int, data: st.DataObject) -> None:
    """Weights of one give the official score; others that of games so often repeated. All to the bit."""
    labels, predictions = season(seed, games)
    counts = st.lists(st.integers(0, 3), min_size=games, max_size=games).filter(any)
    weights = np.array([[1] * games, data.draw(counts)], float)
    scores = score_resamples(labels, predictions, TASK, weights)
    for row, times in enumerate(weights):
        form = average_map(*repeated(labels, predictions, times), TASK)
        for name, columns in scores.items():
            assert columns[row].tolist() == [form[name]["map"], *form[name]["per_class"].values()]


def test_draws_are_of_whole_samples_and_repeatable() -> None:
    """Every resample has as many games as there are, each equally likely."""
    weights = draw_resamples(20, 5000)
    assert weights.shape == (5000, 20)
    assert (weights.sum(axis=1) == 20).all()
    assert np.allclose(weights.mean(axis=0), 1, atol=0.06)
    assert (weights == draw_resamples(20, 5000)).all()


def test_intervals_hold_the_score_and_narrow_with_games() -> None:
    """A score lies in its interval, whose width falls about with the root of the number of games."""
    width = {}
    for games in (8, 72):
        labels, predictions = season(1, games)
        form = compare_systems(labels, {"a": predictions}, TASK, 300)["a"]
        low, high = form["intervals"]["tight"]["map"]
        assert low < average_map(labels, predictions, TASK)["tight"]["map"] < high
        assert "differences" not in form
        width[games] = high - low
    assert 1.5 < width[8] / width[72] < 6


def test_differences_are_paired() -> None:
    """The same predictions differ by nothing; later ones are worse for certain."""
    labels, good = season(2, 40, error=0.5)
    worse = {half: HalfPredictions(p.label, p.time + 2, p.confidence) for half, p in good.items()}
    forms = compare_systems(labels, {"good": good, "same": good, "worse": worse}, TASK, 300)
    same, less = (forms[name]["differences"]["tight"]["map"] for name in ("same", "worse"))
    assert same == {"value": 0.0, "interval": [0.0, 0.0], "better": 0.5}
    assert less["value"] == pytest.approx(
        average_map(labels, worse, TASK)["tight"]["map"] - average_map(labels, good, TASK)["tight"]["map"], abs=1e-12
    )
    assert less["interval"][1] < 0
    assert less["better"] < 0.01
    assert forms["worse"]["against"] == "good"
    goal = forms["worse"]["differences"]["at_1"]["per_class"]["Goal"]
    assert goal["interval"][0] <= goal["value"] <= goal["interval"][1]
