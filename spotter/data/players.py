"""Where players stand, frame by frame, from the boxes and camera calibrations of CALF-calibration.

A row holds the view, ``calibrated`` (1 or 0) and the four corners of the image on the pitch, x and y in metres from
the centre spot; then, player after player, ``present``, x and y of the feet, three shirt colours from -1 to 1 in the
order of the file, and the area of the box in 10,000 square pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.bounded import parse_json, read_file
from spotter.errors import UserError

PLAYERS = "players"  # the name of the stream
VIEW, PLAYER = 9, 7  # columns of the view, and of each player
BOXES, CALIBRATIONS = "player_boundingbox_maskrcnn.json", "field_calib_ccbv.json"  # after ``1_``
LEAST_CONFIDENCE = 0.75  # of a calibration
FARTHEST = 1000.0  # metres; what lies beyond is as good as there
MALFORMED = (KeyError, IndexError, TypeError, ValueError, np.linalg.LinAlgError)


def slots_of(columns: int) -> int:
    """Return how many players a row of so many columns holds; raises UserError for another layout."""
    slots, rest = divmod(columns - VIEW, PLAYER)
    if slots < 1 or rest:
        raise UserError(
            f"data.streams.{PLAYERS}: {columns} columns are not {VIEW} and {PLAYER} for each player; make them by "
            "spotter prepare players, or set model.network.players=vector"
        )
    return slots


def read_players(
    boxes: Path, calibrations: Path, slots: int, least: float = LEAST_CONFIDENCE
) -> tuple[NDArray[np.float32], int]:
    """Return the rows of a half, (R, columns), and how many boxes were left out: beyond ``slots``, or not finite.

    least : confidence from which a calibration counts

    Frames are as many as the longer of both lists has. Raises UserError for files of another form.
    """
    (found, of_boxes), (seen, size) = _predictions(boxes), _predictions(calibrations)
    corners = size * np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    rows = np.zeros((max(len(found), len(seen)), VIEW + PLAYER * slots), np.float32)
    left_out = 0
    for frame, (row, calibration) in enumerate(zip(rows, seen, strict=False)):
        try:
            to_pitch = _to_pitch(calibration, least)
            if to_pitch is None:
                continue
            view = _project(to_pitch, corners).ravel()
            if not np.isfinite(view).all():
                continue
            row[0] = 1
            row[1:VIEW] = view
            if frame < len(found):
                players, lost = _players(found[frame], to_pitch, size / of_boxes)
                left_out += lost + max(0, len(players) - slots)
                row[VIEW : VIEW + PLAYER * min(slots, len(players))] = players[:slots].ravel()
        except MALFORMED as error:
            raise UserError(f"{boxes}, {calibrations}: frame {frame} is not as the kit writes it ({error})") from error
    return rows, left_out


@np.errstate(all="ignore")  # what is not finite is left out
def _players(frame: Any, to_pitch: NDArray[np.float64], scale: NDArray[np.float64]) -> tuple[NDArray[np.float32], int]:
    """Return (P, 7) for the boxes of a frame that are finite, and how many are not."""
    box = np.array(frame["bboxes"], np.float64).reshape(-1, 4)
    colour = np.array(frame["colors"], np.float64).reshape(-1, 3)[: len(box)]
    feet = np.stack((np.trunc((box[:, 0] + box[:, 2]) / 2), box[:, 3]), axis=1)
    area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) / 10_000
    there = (np.ones(len(box)), _project(to_pitch, scale * feet), colour / 127 - 1, area)
    rows = np.column_stack(there).astype(np.float32)
    finite = np.isfinite(rows).all(axis=1) & np.isfinite(box).all(axis=1)
    return rows[finite], int((~finite).sum())


@np.errstate(all="ignore")  # what is not finite is not calibrated
def _to_pitch(calibration: Any, least: float) -> NDArray[np.float64] | None:
    """Return the matrix from the image to the pitch, None where the frame is not calibrated."""
    if not calibration or not float(calibration[0]["confidence"]) >= least:
        return None
    matrix = np.array(calibration[0]["homography"], np.float64).reshape(3, 3)
    matrix = matrix / matrix[2, 2]
    inverse = np.linalg.inv(matrix) if np.isfinite(matrix).all() else matrix
    return inverse if np.isfinite(inverse).all() else None


@np.errstate(all="ignore")  # callers look for what is not finite
def _project(to_pitch: NDArray[np.float64], points: NDArray) -> NDArray[np.float64]:
    """Return points of the image (N, 2) on the pitch, in metres."""
    there = np.column_stack((points, np.ones(len(points)))) @ to_pitch.T
    scale = np.where(np.abs(there[:, 2:]) < 1e-9, 1e-9, there[:, 2:])
    return np.clip(there[:, :2] / scale, -FARTHEST, FARTHEST)


def _predictions(path: Path) -> tuple[list[Any], NDArray[np.float64]]:
    """Return what a file says of each frame, and the width and height of the images."""
    try:
        content = parse_json(read_file(path), str(path))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; spotter download fetches it, --calibrations names another") from error
    if not isinstance(content, dict) or not isinstance(content.get("predictions"), list):
        raise UserError(f"{path}: expected an object with a list 'predictions': is it the right file?")
    match content.get("size"):
        case [_, int() | float() as height, int() | float() as width] if min(height, width) > 0:
            return content["predictions"], np.array([width, height], np.float64)
    raise UserError(f"{path}: has the size {content.get('size')!r}, not [channels, height, width]")
