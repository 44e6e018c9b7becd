"""Rendered matches: repeatable, official in layout, at the rates of real football, and physically what labels say."""

from __future__ import annotations

import hashlib
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.errors import UserError
from spotter.io.soccernet import SoccerNet
from spotter.io.splits import load_splits
from spotter.io.trees import find_games
from spotter.simulation.features import simulate
from spotter.simulation.fixtures import Match
from spotter.simulation.video import DEMO_VIDEO_VERSION, simulate_video
from spotter.simulation.video import tree as module
from spotter.simulation.video.image import Painter, render_images
from spotter.simulation.video.matches import Touches, draw_match, draw_touches, touches_of
from spotter.simulation.video.motion import Motion, move
from spotter.simulation.video.play import FASTEST, Play
from spotter.simulation.video.squad import PITCH, Squad
from spotter.tasks import Task
from spotter.types import Half

TASK = Task.load("ball-2023")
TINY: dict[str, Any] = {"games": (1, 0, 1), "minutes": 0.25, "fps": 5, "height": 48}
PATHOLOGIC = Touches(  # all that real files hold, too
    np.array([0.0, 0.04, 0.04, 0.08, 0.5, 0.52, 9.0, 40.0, 40.2]),
    np.array([True, False, False, True, True, True, False, False, True]),
    np.array([0, 1, 1, 0, 0, 1, 1, 0, 0]),
)


def contents(root: Path, pattern: str = "*") -> dict[str, bytes]:
    files = (file for file in sorted(root.rglob(pattern)) if file.is_file())
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files}


def nearest(motion: Motion) -> np.ndarray:
    """Return the ball's distance from the nearest player at every frame."""
    return np.linalg.norm(motion.player[:, :22] - motion.ball[:, None, :2], axis=2).min(axis=1)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_video(tmp_path_factory.mktemp("demo"), **TINY)


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Label files of an official train game, an official test game and one of nobody's."""
    splits, root = load_splits(TASK), tmp_path / "labels"
    for game in (splits["train"][1], splits["test"][0], "my_league/2020-2021/A - B"):
        rows = [
            {"gameTime": "1 - 00:00", "label": "PASS", "position": "680", "team": "left", "visibility": "visible"},
            {"gameTime": "1 - 00:02", "label": "DRIVE", "position": "2400", "team": "left", "visibility": "visible"},
            {"gameTime": "1 - 00:04", "label": "PASS", "team": "right", "visibility": "visible"},
        ]
        (root / game).mkdir(parents=True)
        (root / game / TASK.label_file).write_bytes(orjson.dumps({"UrlLocal": game, "annotations": rows}))
    return root


def test_matches_have_the_rates_of_real_ones() -> None:
    touches = [draw_touches(3000.0, np.random.default_rng(seed)) for seed in range(30)]
    passes = np.concatenate([each.passes for each in touches])
    gaps = np.concatenate([np.diff(each.time) for each in touches])
    assert len(passes) / 30 / 50 == pytest.approx(15.5, rel=0.08)  # a minute
    assert passes.mean() == pytest.approx(0.617, abs=0.02)
    assert np.median(gaps) == pytest.approx(1.6, abs=0.15)
    assert (gaps < 1).mean() == pytest.approx(0.187, abs=0.03)
    assert gaps.min() >= 0.39


def written(root: Path, match: Match) -> bytes:
    """Return the label file of a match."""
    SoccerNet().write(root, match.labels, TASK, {match.game: match.about})
    return (root / match.game / TASK.label_file).read_bytes()


def test_label_files_say_what_was_drawn(tmp_path: Path) -> None:
    match = draw_match(5, 0, 3)
    content = written(tmp_path, match)
    assert len(match.game.split("/")) == 3
    rows = orjson.loads(content)["annotations"]
    spots = SoccerNet().read(tmp_path, [match.game], TASK)[Half(match.game, 1)]
    touches = touches_of(spots)
    assert [round(1000 * time) for time in touches.time] == [int(row["position"]) for row in rows]
    assert [row["label"] == "PASS" for row in rows] == touches.passes.tolist()
    assert [row["team"] == "right" for row in rows] == touches.side.tolist()
    assert {row["team"] for row in rows} == {"left", "right"}
    assert written(tmp_path, draw_match(5, 0, 3)) == content
    assert written(tmp_path, draw_match(6, 0, 3)) != content


@given(st.integers(0, 1000), st.booleans())
@settings(max_examples=15, deadline=None)
def test_ball_never_jumps_and_stays_on_the_pitch(seed: int, pathologic: bool) -> None:
    rng = np.random.default_rng(seed)
    touches = PATHOLOGIC if pathologic else draw_touches(60.0, rng)
    play = Play(Squad.draw(rng), rng)
    play.run(touches, 60.0)
    ways = play.ball
    assert ways[0].time[0] == 0.0
    for way, following in pairwise(ways):
        assert way.time[-1] == pytest.approx(following.time[0], abs=1e-9)
        assert way.place[-1] == pytest.approx(following.place[0], abs=1e-9)
    for way in ways:
        assert np.isfinite(way.place).all()
        assert (np.diff(way.time) >= 0).all()
        steps = np.linalg.norm(np.diff(way.place[:, :2], axis=0), axis=1)
        assert (steps <= 2 * FASTEST * np.diff(way.time) + 1e-6).all()
    place = np.concatenate([way.place for way in ways])
    assert (place[:, :2] >= -3).all()
    assert (place[:, :2] <= PITCH + 3).all()
    assert (place[:, 2] >= 0).all()


def test_ball_does_what_the_labels_say() -> None:
    """It leaves a foot at a pass and runs with a player after a drive; in between it may lie."""
    fps, touches = 50.0, draw_touches(1200.0, np.random.default_rng(3))
    motion = move(touches, 1200.0, fps, 0, "a game")
    at = np.ceil(touches.time * fps).astype(int)
    near, speed = nearest(motion), np.linalg.norm(np.diff(motion.ball[:, :2], axis=0), axis=1) * fps
    assert np.percentile(near[at], 95) < 0.9
    after = np.array([speed[i + 1 : i + 6].mean() for i in at[:-1]])
    passes = touches.passes[:-1]
    assert np.percentile(after[passes], 5) > 5  # metres per second
    assert np.percentile(after[~passes], 95) < 10
    driven = np.array([near[i : i + 25].max() for i in at[:-1][~passes & (np.diff(touches.time) > 1)]])
    flown = np.array([near[i : i + 25].max() for i in at[:-1][passes & (np.diff(touches.time) > 1)]])
    assert np.percentile(driven, 95) < np.percentile(flown, 10) + 0.5
    assert np.percentile(motion.pace, 99.9) < 11


def test_match_is_the_same_at_any_rate() -> None:
    touches = draw_touches(30.0, np.random.default_rng(0))
    fine, coarse = (move(touches, 30.0, fps, 1, "a game") for fps in (25.0, 12.5))
    assert fine.ball[::2] == pytest.approx(coarse.ball)
    assert fine.player[::2] == pytest.approx(coarse.player)


def test_half_without_spots_is_a_still_ball() -> None:
    nothing = Touches(np.empty(0), np.empty(0, bool), np.empty(0, np.int64))
    motion = move(nothing, 5.0, 5, 0, "a game")
    assert len(motion.ball) == 25
    assert np.ptp(motion.ball, axis=0).max() == 0


def test_images_show_the_ball_where_it_is() -> None:
    painter = Painter(112, 0, "a game")
    middle = PITCH / 2 + (3.0, 5.0)
    empty = painter.ground(middle, 14.0)
    with_ball = empty.copy()
    nobody = np.full((23, 2), -500.0)
    painter.people(with_ball, nobody, np.array([*middle, 0.0]), np.zeros(23, int), np.zeros(23, int))
    rows, columns = np.nonzero(np.abs(with_ball - empty).max(axis=2) > 60)
    assert rows.mean() == pytest.approx(56, abs=4)
    assert columns.mean() == pytest.approx(100, abs=2)
    assert 12 < len(rows) < 90


@pytest.mark.parametrize("height", [32, 90])
def test_images_have_the_size_that_is_asked_for(height: int) -> None:
    motion = move(draw_touches(4.0, np.random.default_rng(0)), 4.0, 2, 0, "a game")
    drawn = list(render_images(motion, 2, height, 0, "a game"))
    assert len(drawn) == 8
    assert {(image.shape, image.dtype) for image in drawn} == {
        ((height, 2 * round(height * 8 / 9), 3), np.dtype(np.uint8))
    }


def test_layout_is_official(tree: Path) -> None:
    splits = orjson.loads((tree / "splits.json").read_bytes())
    games = [*splits["train"], *splits["test"]]
    assert sorted(games) == find_games(tree, TASK.label_file)
    labels = SoccerNet().read(tree, games, TASK)
    for game in games:
        with av.open(str(tree / game / "48p.mp4")) as container:
            stream = container.streams.video[0]
            frames = list(container.decode(stream))
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            assert (frames[0].height, frames[0].width, len(frames)) == (48, 86, 75)
            assert [frame.time for frame in frames] == pytest.approx(np.arange(75) / 5)
            assert sum(frame.key_frame for frame in frames) >= 7
        assert 0 < labels[Half(game, 1)].time.max() < 15


def test_seed_gives_the_same_matches_and_another_seed_others(tree: Path, tmp_path: Path) -> None:
    again = simulate_video(tmp_path / "again", **TINY)
    other = simulate_video(tmp_path / "other", **TINY, seed=1)
    assert contents(again) == contents(tree)
    assert not set(contents(other, "*.mp4").values()) & set(contents(tree, "*.mp4").values())
    more = contents(simulate_video(tmp_path / "more", **{**TINY, "games": (2, 0, 1)}))
    assert {name: content for name, content in contents(tree).items() if "/" in name}.items() <= more.items()


@pytest.mark.parametrize("packed", [False, True])
def test_labels_are_copied_and_stay_in_their_split(official: Path, tmp_path: Path, packed: bool) -> None:
    source = official
    if packed:
        source = tmp_path / "labels.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for name, content in contents(official).items():
                archive.writestr(f"nested/{name}", content)
    root = simulate_video(tmp_path / "tree", **{**TINY, "games": (1, 1, 1)}, labels=source)
    splits, own = load_splits(TASK), orjson.loads((root / "splits.json").read_bytes())
    assert own["train"] == [splits["train"][1]]
    assert own["valid"] == ["my_league/2020-2021/A - B"]
    assert own["test"] == [splits["test"][0]]
    assert contents(root, TASK.label_file) == contents(official)
    with av.open(str(root / own["test"][0] / "48p.mp4")) as container:
        assert container.streams.video[0].frames == 30  # until two seconds after the last spot


def test_interrupted_tree_is_completed(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(motion: Motion, fps: float, height: int, seed: int, game: str) -> Any:
        for count, image in enumerate(render_images(motion, fps, height, seed, game)):
            if count == 20 and done:
                raise KeyboardInterrupt
            yield image
        done.append(game)

    done: list[str] = []
    monkeypatch.setattr(module, "render_images", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate_video(tmp_path, **TINY)
    assert len([name for name in contents(tmp_path) if "json" not in name]) == 1
    monkeypatch.undo()
    assert contents(simulate_video(tmp_path, **TINY)) == contents(tree)


def test_complete_tree_is_left_alone(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tree.atomic_write", "labels.atomic_write", "video.tree.write_video"):
        monkeypatch.setattr(f"spotter.simulation.{name}", lambda *_: pytest.fail("nothing is missing"))
    simulate_video(tree, **TINY)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, "holds a demo of seed 0, not 1"),
        ({"games": (2, 0, 1)}, r"games \[1, 0, 1\], not \[2, 0, 1\]"),
        ({"fps": 10}, "fps 5.0, not 10.0"),
        ({"height": 64}, "height 48, not 64"),
        ({"games": (0, 0, 0)}, "three counts"),
        ({"games": (1, 1)}, "three counts"),
        ({"minutes": 0}, "minutes must be at least 0.1"),
        ({"fps": 0.5}, "fps must lie between 1 and 100"),
        ({"height": 49}, "height must be even"),
        ({"height": 16}, "height must be even and between 32 and 1080"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_wrong_parameters_are_refused(tree: Path, changed: dict[str, Any], message: str) -> None:
    before = contents(tree)
    with pytest.raises(UserError, match=message):
        simulate_video(tree, **{**TINY, **changed})
    assert contents(tree) == before


def test_folder_of_something_else_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "england_efl").mkdir()
    with pytest.raises(UserError, match=r"holds no demo\.json.*give another folder"):
        simulate_video(tmp_path, **TINY)
    record = orjson.loads((tree / "demo.json").read_bytes())
    for content, message in (
        (orjson.dumps({**record, "version": 0}), "version 0, not 1"),
        (b"{", "damaged"),
        (b"{}", "a demo of features, not of video"),
    ):
        (tmp_path / "demo.json").write_bytes(content)
        with pytest.raises(UserError, match=message):
            simulate_video(tmp_path, **TINY)
    with pytest.raises(UserError, match="a demo of video, not of features"):
        simulate(tree, games=(1, 0, 0), minutes=1, width=32)


def test_version_1_is_frozen(tmp_path: Path) -> None:
    """Scores on the demo are compared over time: whoever changes what it shows must raise ``DEMO_VIDEO_VERSION``."""
    match = draw_match(0, 0, 8.0)
    game, content = match.game, written(tmp_path, match)
    motion = move(touches_of(match.labels[Half(game, 1)]), 480.0, 12.5, 0, game)
    drawn = np.stack([image for image, _ in zip(render_images(motion, 12.5, 112, 0, game), range(40), strict=False)])
    assert DEMO_VIDEO_VERSION == 1
    assert hashlib.sha256(content).hexdigest()[:16] == "a7493f262c020829"
    assert motion.ball[5000] == pytest.approx([29.5088, 42.5245, 0], abs=1e-3)
    assert motion.player[5000, 7] == pytest.approx([77.5650, 36.8986], abs=1e-3)
    assert [*drawn.mean(axis=(0, 1, 2)), drawn.std()] == pytest.approx([54.86, 115.949, 49.738, 41.68], abs=0.05)
    row = [[55, 129, 49], [56, 131, 52], [43, 97, 125], [54, 127, 49]]
    assert drawn[30, 20:100:20, 120] == pytest.approx(np.array(row), abs=2)
