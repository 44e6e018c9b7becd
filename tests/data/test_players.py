"""Boxes and calibrations, as the kit has them, become rows of players on the pitch."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.cli import main
from spotter.data.players import BOXES, CALIBRATIONS, PLAYER, VIEW, read_players
from spotter.errors import UserError

SIZE = [3, 72, 128]
TO_IMAGE = np.array([[0.8, 0.1, 64], [0.05, 0.7, 36], [0.0005, 0.002, 1]])  # metres to pixels


def frame(*boxes: tuple[list[float], list[float]]) -> dict[str, Any]:
    return {"bboxes": [box for box, _ in boxes], "colors": [colour for _, colour in boxes]}


def calibration(confidence: float = 0.9, scale: float = 1.0) -> list[dict[str, Any]]:
    return [{"confidence": confidence, "homography": (scale * TO_IMAGE).ravel().tolist()}]


def write(folder: Path, boxes: list[Any], calibrations: list[Any], **sizes: Any) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"1_{BOXES}", folder / f"1_{CALIBRATIONS}"
    for path, predictions, key in zip(paths, (boxes, calibrations), ("of_boxes", "of_seen"), strict=True):
        path.write_text(json.dumps({"size": sizes.get(key, SIZE), "predictions": predictions}))
    return paths


def box_at(x: float, y: float) -> list[float]:
    """Return a box whose feet stand at a place on the pitch, to the pixel."""
    u, v, w = TO_IMAGE @ (x, y, 1)
    return [u / w - 3, v / w - 9, u / w + 3, v / w]


def test_feet_colours_areas_and_the_view(tmp_path: Path) -> None:
    boxes = [frame((box_at(10, -5), [127, 254, 0]), (box_at(-20, 8), [0, 0, 127])), frame(), frame()]
    rows, left_out = read_players(*write(tmp_path, boxes, [calibration(scale=3), calibration(0.5), []]), 2)
    assert (rows.shape, left_out) == ((3, VIEW + 2 * PLAYER), 0)
    assert rows[:, 0].tolist() == [1, 0, 0], "the second is not sure, the third not calibrated"
    assert not rows[1:].any()
    first, second = rows[0, VIEW:].reshape(2, PLAYER)
    np.testing.assert_allclose(first[1:3], (10, -5), atol=1.5)  # the middle of a box is cut to whole pixels
    np.testing.assert_allclose(second[1:3], (-20, 8), atol=1.5)
    np.testing.assert_allclose(first[3:], (0, 1, -1, 54 / 10_000), atol=1e-6)
    corner = np.array([*rows[0, 5:7], 1]) @ TO_IMAGE.T
    np.testing.assert_allclose(corner[:2] / corner[2], (128, 72), atol=1e-3)


def test_more_players_than_places_are_counted_and_lists_may_differ_in_length(tmp_path: Path) -> None:
    boxes = [frame(*((box_at(x, 0), [0, 0, 0]) for x in (1, 2, 3)))]
    rows, left_out = read_players(*write(tmp_path, boxes, [calibration(), calibration()]), 2)
    assert (len(rows), left_out) == (2, 1)
    assert rows[1, 0] == 1
    assert not rows[1, VIEW:].any()


def test_boxes_of_other_images_are_scaled(tmp_path: Path) -> None:
    same, _ = read_players(*write(tmp_path / "a", [frame((box_at(10, 0), [0, 0, 0]))], [calibration()]), 1)
    large = [frame(([2 * side for side in box_at(10, 0)], [0, 0, 0]))]
    rows, _ = read_players(*write(tmp_path / "b", large, [calibration()], of_boxes=[3, 144, 256]), 1)
    np.testing.assert_allclose(rows[0, VIEW : VIEW + 3], same[0, VIEW : VIEW + 3], atol=1)


def test_the_command(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    write(tmp_path / "l" / "s" / "g", [frame((box_at(0, 0), [1, 2, 3]))], [calibration()])
    assert main(["prepare", "players", str(tmp_path)]) == 0
    assert np.load(tmp_path / "l" / "s" / "g" / "1_players.npy").shape == (1, 184)
    assert "1 half; 100 % of frames are calibrated" in caplog.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--players", "0"], "--players: expected at least 1, found 0"),
        (["--confidence", "nan"], "expected a number between 0 and 1, found 'nan'"),
        (["--calibrations", "../../x.json"], "--calibrations: expected the name of a file in the folder of a game"),
    ],
)
def test_wrong_options_are_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, [], [])
    with suppress(SystemExit):  # of argparse
        assert main(["prepare", "players", str(tmp_path), *words]) in (1, 2)
    assert said in capsys.readouterr().err


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "homography", [[1, 0, 0, 0, 1, 0, 0, 0, 0], [float("nan")] * 9, [1e-320, 0, 0, 0, 1e-320, 0, 0, 0, 1]]
)
def test_what_is_not_finite_is_not_calibrated(homography: list[float], tmp_path: Path) -> None:
    box = (box_at(10, 0), [0.0, 0.0, 0.0])
    odd = [{"confidence": 0.9, "homography": homography}]
    boxes = [frame(box), frame(([1e300, 0, 3e300, 1e300], [0, 0, 0]), box, ([0, 0, 9, float("inf")], [0, 0, 0]))]
    rows, left_out = read_players(*write(tmp_path, boxes, [odd, calibration()]), 2)
    assert np.isfinite(rows).all()
    assert (rows[:, 0].tolist(), left_out) == ([0, 1], 2)
    assert rows[1, VIEW::PLAYER].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("boxes", "seen", "said"),
    [
        ([{"bboxes": [[1, 2]], "colors": []}], [calibration()], "frame 0 is not as the kit writes it"),
        ([frame()], [[{"confidence": 0.9, "homography": [1, 2]}]], "frame 0 is not as the kit writes it"),
        ([frame()], [[{"confidence": 0.9, "homography": [0] * 8 + [1]}]], "frame 0 is not as the kit writes it"),
    ],
)
def test_odd_files_are_named(tmp_path: Path, boxes: list[Any], seen: list[Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_players(*write(tmp_path, boxes, seen), 2)
    with pytest.raises(UserError, match=r"none\.json: no such file; spotter download fetches it"):
        read_players(write(tmp_path, [], [])[0], tmp_path / "none.json", 2)
    with pytest.raises(UserError, match="has the size"):
        read_players(*write(tmp_path, [], [], of_boxes=[3, 0, 5]), 2)
