"""A whole match in one file, or in several: predicted as its halves are, with the times of each everywhere."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import orjson
import pytest

from spotter.data.video.silence import between_gaps, read_loudness
from spotter.errors import UsageError, UserError
from spotter.inference.model import Model, load_model
from spotter.io.scores import load_scores
from spotter.predictions import Predictions
from spotter.types import Half, Period
from tests.helpers.predicting import predict, read
from tests.helpers.videos import write_video


@pytest.fixture(scope="module")
def model(trained: Path) -> Model:
    return load_model(trained, device="cpu", precision="32")


@pytest.fixture(scope="module")
def halves(tree: Path) -> list[np.ndarray]:
    """Return the features of two halves."""
    return [np.load(path) for path in sorted(tree.rglob("*.npy"))[:2]]


@pytest.fixture(scope="module")
def match(halves: list[np.ndarray], model: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a file with both halves and time before, between and after them, and where they lie."""
    rows = [round(seconds * model.fps) for seconds in (61, 90, 30)]
    noise = [10 * np.random.default_rng(0).standard_normal((n, halves[0].shape[1])).astype(np.float16) for n in rows]
    path = tmp_path_factory.mktemp("match") / "final.npy"
    np.save(path, np.concatenate([noise[0], halves[0], noise[1], halves[1], noise[2]]).astype(np.float16))
    ends = np.cumsum([rows[0], len(halves[0]), rows[1], len(halves[1])]) / model.fps
    return path, f"{ends[0]:g}-{ends[1]:g},{ends[2]:g}-{ends[3]:g}"


def same(some: Predictions, others: Predictions) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in zip(some.values(), others.values(), strict=True)
        for name in ("label", "time", "confidence")
    )


def test_periods_are_predicted_as_files_of_their_own(
    model: Model, halves: list[np.ndarray], match: tuple[Path, str], tmp_path: Path
) -> None:
    """Nothing around a period changes what is found in it, and nothing is found around it."""
    path, times = match
    found = model.predict(path, periods=times, progress=False)
    assert list(found) == [Half("final", 1), Half("final", 2)]
    assert same(found, model.predict([half.astype(np.float16) for half in halves], fps=model.fps, progress=False))
    starts = [found[half].period.start for half in found if found[half].period is not None]
    assert starts == [61.0, pytest.approx(151 + len(halves[0]) / model.fps, abs=1 / model.fps)]
    pairs = [tuple(map(float, each.split("-"))) for each in times.split(",")]
    assert same(found, model.predict(path, periods=pairs, progress=False))
    table = found.to_frame()
    assert table["video_time"].tolist() == pytest.approx((table["time"] + np.array(starts)[table["half"] - 1]).tolist())
    assert table[table["half"] == 2]["match_clock"].iloc[0] >= "45:00"
    found.to_json(tmp_path / "final.json")
    assert [each["period"] for each in read(tmp_path / "final.json")["intervals"]] == ["H1", "H2"]
    again = Predictions.read(tmp_path / "final.json")
    assert same(found, again)
    assert [again[half].period for half in again] == [found[half].period for half in found]
    assert isinstance(model.scores(path, periods=times, progress=False), dict)


@pytest.mark.slow
def test_the_command_writes_the_clock_of_the_match_everywhere(
    trained: Path, match: tuple[Path, str], tmp_path: Path
) -> None:
    path, times = match
    ckpt = f"ckpt={trained}/checkpoints/best.ckpt"
    predict(tmp_path, ckpt, f"input={path}", f"periods={times}", "out=out", "format=csv,osl,srt", "threshold=0")
    out = tmp_path / "out"
    content = read(out / "final" / "results_spotting.json")
    assert {entry["half"] for entry in content["predictions"]} == {"1", "2"}
    (sample,) = read(out / "predictions.osl.json")["data"]
    assert sample["metadata"]["intervals"] == content["intervals"]
    start = content["intervals"][1]["start_time_ms"]
    second = next(entry for entry in content["predictions"] if entry["half"] == "2")
    assert {start + int(second["position"])} <= {event["position_ms"] for event in sample["events"]}
    assert (out / "predictions.csv").read_text().startswith("game,half,time,clock,match_clock,video_time,class")
    assert [file.name for file in out.rglob("*.srt")] == ["1.srt"]
    starts = [scores.period.start for _, scores in load_scores(out / "scores") if scores.period]
    assert starts == [each["start_time_ms"] / 1000 for each in content["intervals"]]
    for index, told in enumerate((out / "predictions.osl.json", out / "final" / "results_spotting.json")):
        predict(tmp_path, ckpt, f"input={path}", f"periods={told}", f"out=again{index}", "threshold=0")
        assert read(tmp_path / f"again{index}" / "final" / "results_spotting.json") == content


def test_several_files_are_the_halves_of_one_match(
    model: Model, halves: list[np.ndarray], tmp_path: Path, trained: Path
) -> None:
    for name, half in zip(("1_a", "2_a", "3_b", "4_b"), [*halves, *halves], strict=True):
        np.save(tmp_path / f"{name}.npy", half)
    found = model.predict(tmp_path, game="cup/final", progress=False)
    assert list(found) == [Half("cup/final", number) for number in (1, 2, 3, 4)]
    assert all(spots.period is None for spots in found.values())
    assert len({len(found[Half("cup/final", number)]) for number in (1, 3)}) == 1
    (tmp_path / "x.npy").write_bytes((tmp_path / "4_b.npy").read_bytes())
    words = [f"input={tmp_path}/x.npy", f"input={tmp_path}/1_a.npy", "game=final", "out=out"]
    predict(tmp_path, f"ckpt={trained}/checkpoints/best.ckpt", *words)
    content = read(tmp_path / "out" / "final" / "results_spotting.json")
    assert {entry["half"] for entry in content["predictions"]} == {"1", "2"}  # both are 1 by name: their order counts


@pytest.mark.parametrize(
    ("periods", "said"),
    [
        ("1:01-0:30", "half 1, from 61 to 30 s, is empty"),
        ("1:01-3:00,2:00", "half 2, from 120 to inf s, .* begins before 180 s"),
        ("kick-off.json", "is neither a file, silence, nor times"),
        ("1:01,soon", "expected seconds, mm:ss"),
        ("1-2-3", "expected times as 1:01-47:30"),
        ("99:00:00", "begins at 356400.0 s of a file that ends at"),
        ("silence", "is no video, so nothing can be heard"),
    ],
)
def test_wrong_periods_are_named(model: Model, match: tuple[Path, str], periods: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        model.predict(match[0], periods=periods, progress=False)


def test_a_file_that_tells_of_another_match_is_named(model: Model, match: tuple[Path, str], tmp_path: Path) -> None:
    samples = [{"id": name, "metadata": {"intervals": [{"start_time_ms": 0}]}, "events": []} for name in ("a", "b")]
    (tmp_path / "a.json").write_bytes(orjson.dumps({"version": "2.0", "data": samples}))
    with pytest.raises(UserError, match="does not say where the halves of 'final' lie"):
        model.predict(match[0], periods=tmp_path / "a.json", progress=False)
    (tmp_path / "copy.npy").write_bytes(match[0].read_bytes())
    with pytest.raises(UsageError, match="times are of one file, and these are 2"):
        model.predict([match[0], tmp_path / "copy.npy"], periods="0", progress=False)


def test_silence_parts_a_recording() -> None:
    rng = np.random.default_rng(0)
    play, quiet = -20 + rng.normal(0, 3, 6000), rng.normal(-60, 3, 6000)
    loudness = np.concatenate([quiet[:90], play[:2800], quiet[:70], play[:200], quiet[:900], play[:2900], quiet[:5]])
    assert between_gaps(loudness) == [Period(90, 2890), Period(4060, 6965)]
    assert between_gaps(play) == [Period(0, 6000)]


def test_sound_is_heard_by_the_second(tmp_path: Path, model: Model) -> None:
    path = write_video(tmp_path / "match.mp4", 40, 5, audio=True)
    assert read_loudness(path).max() < -80
    loud = tmp_path / "loud.mp4"
    with av.open(str(loud), "w") as container:
        video = container.add_stream("libx264", rate=5)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream("aac", rate=8000)
        for number in range(40):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8), "rgb24")))
            second = number / 5
            wave = np.sin(np.arange(1600) * 0.6) * (0.5 if 2 <= second < 5 else 1e-4)
            frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 8000, 1600 * number
            container.mux(sound.encode(frame))
        container.mux(video.encode())
        container.mux(sound.encode())
    heard = read_loudness(loud)
    assert [bool(heard[second] > -30) for second in (0, 3, 4, 6, 7)] == [False, True, True, False, False]
