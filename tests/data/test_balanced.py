"""Balanced clips show every class as often, each spot anywhere in its clip, and background without spots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.balanced import BalancedClips
from spotter.data.clips import TrainingBatches
from spotter.errors import UserError
from spotter.settings import ClipConfig
from spotter.types import Clip, Half, HalfPredictions, HalfRecord, Spots


def record(frames: int, spots: list[tuple[int, float]], number: int = 1) -> HalfRecord:
    label, time = np.array([s[0] for s in spots], np.int64), np.array([s[1] for s in spots], float)
    return HalfRecord(Half("a/b/c", number), frames, Spots(label, time, np.ones(len(spots), bool)))


def drawn(draw: BalancedClips, count: int, seed: int = 0) -> list[Clip]:
    half, start = draw(count, np.random.default_rng(seed))
    return [Clip(h, s) for h, s in zip(half.tolist(), start.tolist(), strict=True)]


RECORDS = [
    record(700, [(0, 50.0), (0, 52.0), (0, 60.5), (2, 300.2)]),
    record(300, [(0, 20.0), (5, 100.0)], 2),
]


def shown(half: int, start: int, clip_len: int, records: list[HalfRecord] = RECORDS) -> set[int]:
    spots = records[half].spots
    assert spots is not None
    inside = (spots.time >= start) & (spots.time < start + clip_len)
    return set(spots.label[inside].tolist())


def test_many_halves_that_are_shorter_than_a_clip() -> None:
    """Plays and points: whatever is drawn shows its spot, and background lies anywhere."""
    rng = np.random.default_rng(0)
    records = [record(30, [(i % 3, float(rng.integers(30)))], i + 1) for i in range(500)]
    clips = drawn(BalancedClips(records, 100, 1.0), 2000)
    seen = [shown(clip.half, clip.start, 100, records) for clip in clips]
    assert all(-100 < clip.start < 30 for clip in clips)
    for label in range(3):
        assert sum(label in each for each in seen) > 450
    assert len({clip.half for clip in clips}) > 450


def test_every_class_and_background_are_as_frequent() -> None:
    clips = drawn(BalancedClips(RECORDS, 10, 1.0), 8000)
    seen = [shown(clip.half, clip.start, 10) for clip in clips]
    for label in (0, 2, 5):
        assert sum(label in each for each in seen) == pytest.approx(2000, abs=200)
    assert sum(not each for each in seen) == pytest.approx(2000, abs=200)
    rare = [clip for clip, each in zip(clips, seen, strict=True) if 2 in each]
    assert {300 - clip.start for clip in rare} == set(range(10)), "a spot lies anywhere in its clip"


@given(st.integers(1, 12), st.integers(0, 5), st.sampled_from([1.0, 2.0]), st.floats(0, 0.9), st.integers(0, 99))
def test_a_spot_keeps_its_distance_and_background_is_empty(
    clip_len: int, spot_margin: int, fps: float, offset: float, seed: int
) -> None:
    if 2 * spot_margin >= clip_len:
        with pytest.raises(UserError, match=r"model\.clips\.spot_margin: \d frames from both ends leave nothing"):
            BalancedClips(RECORDS, clip_len, fps, offset, spot_margin)
        return
    clips = drawn(BalancedClips(RECORDS, clip_len, fps, offset, spot_margin), 60, seed)
    again = drawn(BalancedClips(RECORDS, clip_len, fps, offset, spot_margin), 60, seed)
    assert clips == again
    for clip in clips:
        spots = RECORDS[clip.half].spots
        assert spots is not None
        at = np.floor((spots.time - offset) * fps).astype(int) - clip.start
        inside = (at >= 0) & (at < clip_len)
        kept = (at >= spot_margin) & (at < clip_len - spot_margin)
        assert kept.any() or not inside.any()
        if not inside.any():
            assert 0 <= clip.start + clip_len // 2 < RECORDS[clip.half].frames


def test_where_every_clip_shows_a_spot_background_lies_anywhere() -> None:
    crowded = [record(30, [(0, float(second)) for second in range(0, 30, 3)])]
    clips = drawn(BalancedClips(crowded, 8, 1.0), 400)
    assert len({clip.start for clip in clips}) > 20


def test_a_spot_past_the_end_of_its_half_is_looked_for_inside() -> None:
    clips = drawn(BalancedClips([record(30, [(0, 31.5)])], 8, 1.0), 50)
    assert all(clip.start + 7 >= 0 and clip.start < 30 for clip in clips)


def test_halves_without_spots_give_background() -> None:
    clips = drawn(BalancedClips([record(30, []), HalfRecord(Half("a/b/c", 2), 20, None)], 8, 1.0), 50)
    assert {clip.half for clip in clips} == {0, 1}


def test_an_epoch_of_balanced_clips_with_partners() -> None:
    draw = BalancedClips(RECORDS, 10, 1.0)

    def epoch(world: int, sampling: str = "uniform", partners: bool = True) -> list[list[object]]:
        config = ClipConfig(10, sampling=sampling, per_epoch=64, balanced_mixup=partners)
        ranks = [TrainingBatches([400, 300], config, 4, 0, lambda: 2, draw, rank, world) for rank in range(world)]
        return [batch for rank in ranks for batch in rank]

    assert {len(batch) for batch in epoch(1)} == {8}
    plain = epoch(1, partners=False)
    assert [batch[:4] for batch in epoch(1)] == plain, "partners change nothing of the clips themselves"
    assert {clip for batch in epoch(2) for clip in batch} == {clip for batch in epoch(1) for clip in batch}
    drawn = [shown(clip.half, clip.start, 10) for batch in epoch(1) for clip in batch[4:]]  # type: ignore[attr-defined]
    assert sum(5 in each for each in drawn) > 5
    assert {len(batch) for batch in epoch(1, "balanced", partners=False)} == {4}
    with pytest.raises(ValueError, match="nothing draws them"):
        TrainingBatches([400], ClipConfig(10, sampling="balanced", per_epoch=64), 4, 0, lambda: 0)


def test_frames_are_not_listed_one_by_one() -> None:
    """Thousands of games of video have more of them than fit into memory."""
    long = record(10**11, [(0, 50.0), (1, 3e9)])
    clips = drawn(BalancedClips([long, record(10**11, [], 2)], 100, 25.0), 300)
    assert {clip.half for clip in clips} == {0, 1}
    background = [clip.start for clip in clips if clip.half == 1]
    assert min(background) < 2 * 10**10
    assert max(background) > 8 * 10**10


def predictions(*rows: tuple[float, float]) -> HalfPredictions:
    """Return predictions of class 0 at times, with confidences."""
    time, confidence = np.array(rows, float).reshape(-1, 2).T
    return HalfPredictions(np.zeros(len(time), np.int64), time, confidence)


def test_background_lies_where_others_were_wrong() -> None:
    """As often as confidence says against how rare spots are; not near a spot, nor where it says less than that."""
    wrong = [predictions((400.0, 0.9), (500.5, 0.5), (51.0, 0.99), (600.0, 0.001)), predictions()]
    draw = BalancedClips(RECORDS, 10, 1.0, spot_margin=3, predicted=wrong)
    background = [clip for clip in drawn(draw, 40_000) if not shown(clip.half, clip.start, 10)]
    spots, frames, width = 6, 1000 - sum(near(50, 52, 60, 300)) - sum(near(20, 100)), 4
    usual = spots * width / frames
    hard = {time: width * (confidence / usual - 1) for time, confidence in ((400, 0.9), (500, 0.5))}
    for time, frames_more in hard.items():
        around = [clip for clip in background if clip.half == 0 and 3 <= time - clip.start < 7]
        share = (frames_more + width) / (frames + sum(hard.values()))
        assert len(around) / len(background) == pytest.approx(share, rel=0.15)
    elsewhere = [clip for clip in background if clip.half == 0 and 3 <= 600 - clip.start < 7]
    assert len(elsewhere) / len(background) == pytest.approx(width / (frames + sum(hard.values())), abs=0.003)


@given(st.integers(1, 12), st.integers(0, 5), st.floats(0, 699), st.sampled_from([0.5, 1.0, np.nan]))
def test_what_is_drawn_by_predictions_shows_no_spot(
    clip_len: int, spot_margin: int, time: float, confidence: float
) -> None:
    if 2 * spot_margin >= clip_len:
        return
    wrong = [predictions((time, confidence)), predictions((time / 3, 0.3), (20.0, 1.0))]
    empty = []
    for predicted in (None, wrong):
        clips = drawn(BalancedClips(RECORDS, clip_len, 1.0, 0.0, spot_margin, predicted), 200)
        empty.append([not shown(clip.half, clip.start, clip_len) for clip in clips])
    assert empty[0] == empty[1]


def near(*spots: int) -> list[bool]:
    """Return for frames 0 … 699 whether a clip of ten frames around them shows one of the spots."""
    return [any(frame - 5 <= spot < frame + 5 for spot in spots) for frame in range(700)]


def test_no_predictions_change_nothing() -> None:
    plain = drawn(BalancedClips(RECORDS, 10, 1.0), 200)
    assert drawn(BalancedClips(RECORDS, 10, 1.0, predicted=[predictions(), predictions()]), 200) == plain
    assert drawn(BalancedClips(RECORDS, 10, 1.0, predicted=[predictions((50.0, 0.9)), predictions()]), 200) == plain
