"""Write a simulated data set in the official layout, or complete one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from spotter.errors import UserError
from spotter.io.files import atomic_write
from spotter.io.game_files import game_file_to_write
from spotter.simulation.features.cameras import write_cameras
from spotter.simulation.features.features import FeatureFile
from spotter.simulation.features.matches import draw_match
from spotter.simulation.features.players import write_players
from spotter.simulation.features.scene import stage
from spotter.simulation.seeds import generator
from spotter.simulation.tree import Simulation, write_tree
from spotter.tasks import Task
from spotter.types import Half, Spots

DEMO_VERSION = 1
DEFAULT_FILE = "baidu_soccer_embeddings"
NARROWEST = 32  # columns, so that every extractor has some
TAIL = 10.0  # seconds of a half after its last spot, at least


def simulate(
    root: str | Path,
    *,
    games: Sequence[int] = (6, 2, 2),
    minutes: float = 45.0,
    width: int = 128,
    seed: int = 0,
    labels: str | Path | None = None,
    file: str = DEFAULT_FILE,
    fps: float = 1.0,
    replays: bool = False,
    players: bool = False,
) -> Path:
    """Write what is missing of a simulated official tree, and return its root.

    games : how many for train, valid and test
    labels : folder or zip of official label files to take in place of simulated matches
    replays : write which action each replay shows, as camera labels
    players : write where players stand, and beside it where those of another game do
    file, fps, width : the feature file of every half; other files of the same matches may be added by other calls

    Raises UserError for wrong parameters, and for a folder that holds something else.
    """
    root, task = Path(root), Task.load("soccernet-v2")
    features = FeatureFile(file, float(fps), width)
    _check(features)

    def write(half: Half, spots: Spots) -> None:
        seconds = max(60 * minutes, spots.time.max(initial=0) + TAIL)
        parts = stage(task, spots, seconds, generator(seed, "scene", half.game, half.number))
        atomic_write(feature_path(root, half, file), features.encode(seed, half, parts, seconds))

    simulation = Simulation(
        kind="features",
        version=DEMO_VERSION,
        task=task,
        games=games,
        minutes=minutes,
        seed=seed,
        labels=labels,
        draw=partial(draw_match, task, seed, minutes=minutes),
        path=lambda half: feature_path(root, half, file),
        write=write,
        file=(file, {"fps": features.fps, "width": width, "groups": features.groups}),
    )
    write_tree(root, simulation)
    if replays:
        write_cameras(root, task, seed)
    if players:
        write_players(root, task, seed, file, features.fps)
    return root


def feature_path(root: str | Path, half: Half, file: str) -> Path:
    """Return where a feature file of a half lies."""
    return game_file_to_write(root, half.game, f"{half.number}_{file}.npy")


def _check(features: FeatureFile) -> None:
    if features.width < NARROWEST:
        raise UserError(f"width must be at least {NARROWEST}, found {features.width}")
    if not 0 < features.fps < float("inf"):
        raise UserError(f"fps must be above 0, found {features.fps:g}")
    if not features.name or Path(features.name).name != features.name:
        raise UserError(f"file must be a plain name such as {DEFAULT_FILE}, found {features.name!r}")
