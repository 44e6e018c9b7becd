"""Tracking files of data providers: each becomes the same track, on a clock that begins with the kick-off."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spotter.cli import main
from spotter.data.tracking_files import PROVIDERS, fill_places, find_matches, load_tracks
from spotter.errors import UserError
from tests.helpers.providers import AWAY, HOME, WRITERS

GAME = "league/season/game"
kloppy = pytest.importorskip("kloppy", reason="kloppy is not installed")


def written(folder: Path, provider: str, game: str = GAME) -> Path:
    (folder / game).mkdir(parents=True)
    WRITERS[provider](folder / game)
    return folder


def test_every_provider_is_tested() -> None:
    assert {name.removesuffix("_v2") for name in WRITERS} == set(PROVIDERS)


@pytest.mark.parametrize("provider", WRITERS)
def test_every_provider_gives_the_same_track(provider: str, tmp_path: Path) -> None:
    (match,) = find_matches(written(tmp_path, provider))
    assert (match.game, match.provider) == (GAME, provider.removesuffix("_v2"))
    tracks, unplaced = load_tracks(match, fps="10")
    assert (set(tracks), unplaced) == ({1, 2}, 0)
    for track in tracks.values():
        late = 1 if provider == "metrica" else 0  # whose first frame kloppy puts 0.04 s after the kick-off
        times = np.arange(len(track.position)) / 10 - 0.04 * late
        assert len(times) in (10, 11)
        known = np.isfinite(track.position[:, 0, 0])
        assert known[[0, 1, 2, -1]].all()
        position = np.abs(track.position)  # whichever way y runs
        assert position[known][1:, 0, 0] == pytest.approx(20 * times[known][1:] / 50, abs=2e-3)
        assert position[known][1:, 0, 1] == pytest.approx(6 * times[known][1:] / 30, abs=2e-3)
        assert track.position[0, 1, 0] == pytest.approx(HOME[0] / 50, abs=1e-3)
        assert track.position[0, 12, 0] == pytest.approx(AWAY[0] / 50, abs=1e-3)
        assert track.position[0, 1, 1] * track.position[0, 12, 1] < 0
        assert np.isnan(track.position[0, 2:12]).all()


def test_features_lie_beside_the_labels_with_a_description(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    source, root = written(tmp_path / "src", "tracab"), tmp_path / "tree"
    written(source, "metrica", "league/season/other")
    assert main(["prepare", "tracking", str(source), str(root), "--fps", "25/2"]) == 0
    assert "4 halves of 2 games" in caplog.text
    rows = np.load(root / GAME / "2_tracking.npy")
    assert rows.shape == (13, 69)
    assert rows[:, 2].all()
    about = json.loads((root / GAME / "2_tracking.json").read_text())
    assert (about["fps"], about["provider"], about["width"]) == ("25/2", "tracab", 69)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--players", "0"], "--players: expected at least 1, found 0"),
        (["--name", "../other"], "--name: expected the name of a file in the folder of a game, found '../other'"),
    ],
)
def test_wrong_options_are_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, root = written(tmp_path / "src", "tracab"), tmp_path / "tree"
    assert main(["prepare", "tracking", str(source), str(root), *words]) in (1, 2)
    assert said in capsys.readouterr().err
    assert not root.exists()
    root.touch()
    assert main(["prepare", "tracking", str(source), str(root)]) == 2
    assert "ROOT: " in capsys.readouterr().err


def test_a_substitute_takes_the_place_of_who_went_off() -> None:
    def stays(first: int, last: int) -> np.ndarray:
        track = np.full((10, 2), np.nan)
        track[first : last + 1] = first
        return track

    places, unplaced = fill_places([stays(0, 9), stays(0, 4), stays(5, 9), stays(3, 9)], 2)
    assert unplaced == 1
    assert places[:, 0, 0].tolist() == [0] * 10
    assert places[:, 1, 0].tolist() == [0] * 5 + [5] * 5
    assert fill_places([], 2)[0].shape == (0, 2, 2)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find_matches(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no folder with the tracking files of metrica, tracab"):
        find_matches(tmp_path)
    folder = written(tmp_path, "tracab") / GAME
    with pytest.raises(UserError, match="no folder with the tracking files of sportec"):
        find_matches(tmp_path, "sportec")
    (folder / "1.dat").write_text("1000:1,0,7\n")
    with pytest.raises(UserError, match=f"{GAME}: 1_metadata.xml, 1.dat cannot be read as tracab"):
        load_tracks(find_matches(tmp_path)[0])
    (folder / "2.dat").write_text("")
    with pytest.raises(UserError, match=r"1\.dat and 2\.dat are alike: give each game a folder"):
        find_matches(tmp_path)
