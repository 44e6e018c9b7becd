"""Write a data set of rendered matches in the layout of ball-2023, or complete one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from spotter.errors import UserError
from spotter.io.game_files import game_file_to_write
from spotter.simulation.tree import Simulation, write_tree
from spotter.simulation.video.actions import TASK as ACTIONS
from spotter.simulation.video.actions import actions_of, draw_action_match
from spotter.simulation.video.encode import write_video
from spotter.simulation.video.image import image_width, render_images
from spotter.simulation.video.matches import draw_match, touches_of
from spotter.simulation.video.motion import move, move_actions
from spotter.tasks import Task
from spotter.types import Half, Spots

DEMO_VIDEO_VERSION = 1
DEMO_BALL_VERSION = 1
TASK = "ball-2023"
VERSIONS = {TASK: DEMO_VIDEO_VERSION, ACTIONS: DEMO_BALL_VERSION}
NEAR_LINES = (2.0, 2.0)  # metres that the camera keeps from the lines where the ball may go over them
HEIGHTS = (32, 1080)
TAIL = 2.0  # seconds of a match after its last spot, at least


def simulate_video(
    root: str | Path,
    *,
    games: Sequence[int] = (5, 1, 2),
    minutes: float = 8.0,
    fps: float = 25.0,
    height: int = 112,
    seed: int = 0,
    labels: str | Path | None = None,
    task: str = TASK,
) -> Path:
    """Write what is missing of a tree of rendered matches, and return its root.

    games : how many for train, valid and test
    minutes : of a match, one half each; with ``labels`` a match lasts until after its last spot
    fps, height : of the videos, ``<height>p.mp4``, 16:9; the matches are the same for all
    labels : folder or zip of official label files to render around, in place of simulated ones
    task : ``ball-2023``, passes and drives, or ``ball-2025``, twelve actions and who acts

    Raises UserError for wrong parameters, and for a folder that holds something else.
    """
    root = Path(root)
    _check(fps, height, task)
    least = 0.0 if labels else 60 * minutes

    def write(half: Half, spots: Spots) -> None:
        seconds = max(least, spots.time.max(initial=0) + TAIL)
        if task == TASK:
            frames = render_images(move(touches_of(spots), seconds, fps, seed, half.game), fps, height, seed, half.game)
        else:
            motion = move_actions(actions_of(spots), seconds, fps, seed, half.game)
            frames = render_images(motion, fps, height, seed, half.game, NEAR_LINES)
        write_video(video_path(root, half.game, height), frames, fps, (height, image_width(height)))

    simulation = Simulation(
        kind="video" if task == TASK else f"video of {task}",
        version=VERSIONS[task],
        task=Task.load(task),
        games=games,
        minutes=minutes,
        seed=seed,
        labels=labels,
        settings={"fps": float(fps), "height": height},
        draw=partial(draw_match if task == TASK else draw_action_match, seed, minutes=minutes),
        path=lambda half: video_path(root, half.game, height),
        write=write,
    )
    return write_tree(root, simulation)


def video_path(root: str | Path, game: str, height: int) -> Path:
    """Return where the video of a match lies."""
    return game_file_to_write(root, game, f"{height}p.mp4")


def _check(fps: float, height: int, task: str) -> None:
    if task not in VERSIONS:
        raise UserError(f"task must be one of {', '.join(VERSIONS)}, found {task!r}")
    if not 1 <= fps <= 100:
        raise UserError(f"fps must lie between 1 and 100, found {fps:g}")
    if height % 2 or not HEIGHTS[0] <= height <= HEIGHTS[1]:
        raise UserError(f"height must be even and between {HEIGHTS[0]} and {HEIGHTS[1]}, found {height}")
