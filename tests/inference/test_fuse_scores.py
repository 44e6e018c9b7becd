"""Fused scores are weighted means at the same instants, whatever grids the runs have; weights are found by ascent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.cli.fuse_ensemble import Ensemble
from spotter.errors import UserError
from spotter.inference.decode import apply_displacement, decode
from spotter.inference.fuse import STEPS, Weights, fuse, resample, search
from spotter.inference.runs import RunScores, check_same_halves
from spotter.io.predictions import read_predictions
from spotter.io.scores import Scores, ScoresInfo
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.types import Half, Period, Spots

RATES = (0.5, 1.0, 2.0, 25 / 12, 25.0)


@st.composite
def scores(draw: st.DrawFn, rates: tuple[float, ...] = RATES, displaced: bool | None = None) -> Scores:
    """Draw scores of two classes on any grid."""
    length, rng = draw(st.integers(1, 30)), np.random.default_rng(draw(st.integers(0, 99)))
    logits, displacement = rng.normal(0, 3, (2, length, 2)).astype(np.float32)
    has = draw(st.booleans()) if displaced is None else displaced
    return Scores(logits, displacement if has else None, draw(st.sampled_from(rates)), draw(st.floats(-2, 2)))


def times(run: Scores) -> np.ndarray:
    return run.offset + np.arange(len(run.logits)) / run.fps


@given(run=scores(), grid=scores())
def test_resampling_is_linear_interpolation_in_time(run: Scores, grid: Scores) -> None:
    expected = np.stack([np.interp(times(grid), times(run), column) for column in run.logits.T.astype(float)], axis=1)
    np.testing.assert_allclose(resample(run.logits, run, grid), expected, atol=1e-6)


@given(run=scores())
def test_anchors_on_anchors_keep_their_bits_and_ends_are_repeated(run: Scores) -> None:
    longer = Scores(np.zeros((len(run.logits) + 3, 2), np.float32), None, run.fps, run.offset)
    expected = np.concatenate([run.logits, np.repeat(run.logits[-1:], 3, axis=0)])
    assert np.array_equal(resample(run.logits, run, longer), expected)


@given(run=scores(), weights=st.lists(st.floats(0.01, 1), min_size=1, max_size=4))
def test_a_run_averaged_with_itself_predicts_the_same_bits(run: Scores, weights: list[float]) -> None:
    fused, suppression = fuse([run] * len(weights), weights), Postprocess("nms", 2.0)
    assert fused.logits.tobytes() == run.logits.tobytes()
    expected, found = decode(run, suppression, 2), decode(fused, suppression, 2)
    for column in ("label", "time", "confidence"):
        assert np.array_equal(getattr(expected, column), getattr(found, column))


@given(run=scores(), other=scores())
def test_a_run_of_no_weight_takes_no_part(run: Scores, other: Scores) -> None:
    for fused in (fuse([run, other], [1, 0]), fuse([other, run], [0, 0.5])):
        assert (fused.fps, fused.offset) == (run.fps, run.offset)
        assert np.array_equal(fused.logits, run.logits)
        assert (fused.displacement is None) == (run.displacement is None)
        assert run.displacement is None or np.array_equal(fused.displacement, run.displacement)


@given(run=scores((1.0, 2.0)), other=scores((0.5, 25.0)), weight=st.floats(0.01, 0.99))
def test_the_order_of_runs_does_not_matter(run: Scores, other: Scores, weight: float) -> None:
    one, two = fuse([run, other], [weight, 1 - weight]), fuse([other, run], [1 - weight, weight])
    assert one.fps == two.fps == max(run.fps, other.fps)
    np.testing.assert_allclose(one.logits, two.logits, rtol=1e-5, atol=1e-6)


def test_of_equal_grids_the_first_counts() -> None:
    long, short = (
        Scores(np.zeros((length, 1), np.float32), None, 2.0, offset) for length, offset in ((9, 0), (8, 0.25))
    )
    assert (len(fuse([long, short], [1, 1]).logits), fuse([long, short], [1, 1]).offset) == (9, 0)
    assert (len(fuse([short, long], [1, 1]).logits), fuse([short, long], [1, 1]).offset) == (8, 0.25)


def pointing(moment: float, fps: float, offset: float = 0.0) -> Scores:
    """Return scores whose anchors all point to one moment, in anchors."""
    logits = np.zeros((int(20 * fps), 1), np.float32)
    away = (moment - offset - np.arange(len(logits)) / fps) * fps
    return Scores(logits, away[:, None].astype(np.float32), fps, offset)


@pytest.mark.parametrize("fps", [0.5, 1.0, 25 / 12])
def test_displacements_are_rescaled_to_the_grid(fps: float) -> None:
    finer = Scores(np.zeros((40, 1), np.float32), None, 4.0, 0.1)
    fused = fuse([pointing(5.0, fps), finer], [0.3, 0.7])
    assert fused.displacement is not None
    np.testing.assert_allclose(times(fused) + fused.displacement[:, 0] / fused.fps, 5.0, atol=1e-5)
    assert set(apply_displacement(fused).time[apply_displacement(fused).confidence > 0]) == {5.0}


def test_displacements_are_averaged_over_the_runs_that_have_any() -> None:
    runs = [pointing(4.0, 2.0), Scores(np.zeros((40, 1), np.float32), None, 2.0), pointing(8.0, 2.0)]
    fused = fuse(runs, [0.3, 0.6, 0.1])
    assert fused.displacement is not None
    np.testing.assert_allclose(times(fused) + fused.displacement[:, 0] / 2, (0.3 * 4 + 0.1 * 8) / 0.4, atol=1e-5)
    assert fuse(runs[1:2], [1.0]).displacement is None


def test_displacements_of_a_run_that_is_not_fused() -> None:
    fused = fuse([pointing(4.0, 2.0), pointing(8.0, 2.0)], [0.5, 0.5], displacement=pointing(6.5, 1.0))
    assert fused.displacement is not None
    moments = times(fused) + fused.displacement[:, 0] / 2
    np.testing.assert_allclose(moments[:-1], 6.5, atol=1e-5)  # the last anchor repeats the one half a second before it


@given(peak=st.lists(st.floats(0.01, 1), min_size=2, max_size=4))
def test_ascent_ends_where_no_share_of_any_run_is_better(peak: list[float]) -> None:
    target = np.array(peak) / sum(peak)

    def value(weights: Weights) -> float:
        return -float(np.sum((np.array(weights) - target) ** 2))

    trials = list(search(len(peak), value))
    found, reached = max(trials, key=lambda trial: trial[1])
    tried = [weights for weights, _ in trials]
    assert len(set(tried)) == len(tried)
    assert all(sum(weights) == pytest.approx(1, abs=1e-5) and min(weights) >= 0 for weights in tried)
    assert tried[0] == pytest.approx([1 / len(peak)] * len(peak), abs=1e-6)
    assert set(map(tuple, np.eye(len(peak)).tolist())) <= set(tried)  # so it is never below a single run
    assert len(peak) > 2 or len(tried) == len(STEPS)  # of two runs, the weights of one are all there is
    for run, own in enumerate(np.eye(len(peak))):
        rest = np.where(own, 0, found) if found[run] < 1 else 1 - own
        for weight in STEPS:
            assert value(tuple(weight * own + (1 - weight) * rest / rest.sum())) <= reached + 1e-5
    assert np.abs(np.array(found) - target).max() <= 0.15


def test_equal_values_keep_equal_weights() -> None:
    def flat(weights: Weights) -> float:
        return 1.0

    trials = list(search(3, flat))
    assert max(trials, key=lambda trial: trial[1])[0] == pytest.approx([1 / 3] * 3, abs=1e-6)
    assert trials == list(search(3, flat))


def test_halves_that_begin_at_other_times_of_their_video_are_refused() -> None:
    info = ScoresInfo(Task.load("soccernet-v2"), "test", Postprocess("nms", 2.0))

    def run(name: str, period: Period | None) -> RunScores:
        scores = Scores(np.zeros((4, 17), np.float32), None, 1.0, period=period)
        return RunScores(Path(name), info, {Half("g", 2): scores})

    check_same_halves([run("a", None), run("b", Period(0.0, 300.0))])
    with pytest.raises(UserError, match="b: g, half 2 begins at 90 s of its video, but at 60 s in a: predict with the"):
        check_same_halves([run("a", Period(60.0, 400.0)), run("b", Period(90.0, 400.0))])


def test_halves_without_labels_are_fused_and_not_scored(tmp_path: Path) -> None:
    task, suppression = Task.load("ball-2023"), Postprocess("nms", 2.0)
    halves = {Half("m", number): Scores(np.zeros((4, 2), np.float32), None, 1.0) for number in (1, 3)}
    run = RunScores(tmp_path, ScoresInfo(task, "test", suppression), halves)
    ensemble = Ensemble([run, run], None, {Half("m", 1): Spots.empty()})
    fused = ensemble.fuse((0.5, 0.5))
    ensemble.write(tmp_path / "out", fused, *ensemble.score(fused, suppression), {})
    assert len(read_predictions(tmp_path / "out", ["m"], task)[Half("m", 3)])
    assert (tmp_path / "out" / "report.html").is_file()


def test_halves_that_one_run_saw_the_beginning_of_are_said(caplog: pytest.LogCaptureFixture) -> None:
    info = ScoresInfo(Task.load("ball-2023"), "test", Postprocess("nms", 2.0))
    lengths = {"whole": (100, 1.0), "finer": (199, 2.0), "cut": (60, 1.0)}
    runs = {
        name: RunScores(Path(name), info, {Half("m", 1): Scores(np.zeros((length, 2), np.float32), None, fps)})
        for name, (length, fps) in lengths.items()
    }
    check_same_halves([runs["whole"], runs["finer"]])
    assert not caplog.messages
    check_same_halves([runs["whole"], runs["cut"]])
    (said,) = caplog.messages
    assert said.startswith("cut: 1 of 1 halves end elsewhere than in whole, first m, half 1, at 60 s and not at 100 s")
