"""Every feature model in a size that learns within seconds, and what it learns from: football of five actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from spotter.evaluation.average_map import average_map
from spotter.inference.decode import decode
from spotter.io.scores import Scores
from spotter.io.soccernet import SoccerNet
from spotter.settings import Postprocess
from spotter.simulation.features import simulate
from spotter.simulation.features.tree import DEFAULT_FILE, feature_path
from spotter.tasks import Task

TASK = Task.load("soccernet-v2")
ACTIONS = ("Goal", "Substitution", "Throw-in", "Corner", "Yellow card")
GAMES, MINUTES, SPOTS, WIDTH = (6, 1, 2), 10, 23, 48

_WINDOWS = ["data.batch_size=32", "model.lr=1e-2"]
_VLAD = [*_WINDOWS, "model.network.dim=32", "model.network.clusters=8"]
_TRANSFORMER = ["model.network.dim=32", "model.network.heads=2", "model.network.feedforward=64"]
_DENSE = ["data.batch_size=8", "model.lr=5e-3", "model.clips.per_epoch=128"]
SYSTEMS: dict[str, tuple[int, list[str]]] = {  # epochs and sizes
    "linear": (5, [*_DENSE, "model.lr=2e-2"]),
    "maxpool": (8, [*_WINDOWS, "model.network.dim=48"]),
    "avgpool": (8, [*_WINDOWS, "model.network.dim=48"]),
    "netvlad": (12, [*_VLAD, "postprocess=nms"]),  # so short a run stays below the threshold of 0.5
    "netrvlad": (12, _VLAD),
    "netvladpp": (10, _VLAD),
    "calf": (
        14,
        [
            *("model.network.dim=32", "model.network.receptive_field=16", "model.clips.clip_len=60"),
            *("model.head.slots=3", "model.clips.per_epoch=256", "data.batch_size=8", "model.lr=1e-3"),
        ],
    ),
    "rms": (
        8,
        [
            *("model.network.dim=32", "model.network.width=64", "model.clips.per_epoch=512"),
            *("data.batch_size=32", "model.lr=3e-3"),
        ],
    ),
    "ste": (
        6,
        [
            *(f"model.network.{size}" for size in ("hidden=64", "dim=32", "channels=[32,64]", "width=64")),
            *("data.batch_size=32", "model.lr=3e-3"),
        ],
    ),
    "unet": (
        5,
        [
            *(f"model.network.{size}" for size in ("mlp=[32,32]", "cap=32", "levels=4")),
            *("data.batch_size=4", "model.lr=5e-3", "model.clips.per_epoch=96"),
        ],
    ),
    "astra": (
        10,
        [
            *(f"model.network.{size}" for size in ("heads=2", "feedforward=64", "hidden=32", "segments=[1]")),
            *("model.network.input_dropout=0.0", "model.network.token_dropout=0.0", "model.head.hidden=32"),
            *("data.source.streams.demo.groups=null", "model.clips.overlap=0.5", "data.batch_size=4", "model.lr=1e-3"),
        ],
    ),
    "window_transformer": (5, [*_WINDOWS, *_TRANSFORMER, "model.network.layers=1", "model.lr=3e-3", "model.warmup=20"]),
    "transformer": (8, [*_DENSE, *_TRANSFORMER, "model.network.layers=1"]),
}


def simple_matches(folder: Path) -> Path:
    """Simulate matches in which one of five actions happens every 20 to 30 seconds, and return their tree.

    All five are frequent, which spares the steps that rare classes need; so many spots are too dense for chance, too.
    """
    for game in range(sum(GAMES)):
        rng = np.random.default_rng(game)
        times = {half: np.cumsum(rng.uniform(20, 30, SPOTS)) for half in TASK.halves}
        spots = [
            {"gameTime": f"{half} - 00:00", "label": label, "position": str(int(1000 * time)), "visibility": "visible"}
            for half in TASK.halves
            for time, label in zip(times[half], rng.choice(ACTIONS, SPOTS).tolist(), strict=True)
        ]
        path = folder / "labels" / "league" / "season" / f"game {game}" / TASK.label_file
        path.parent.mkdir(parents=True)
        path.write_bytes(orjson.dumps({"annotations": spots}))
    return simulate(folder / "tree", games=GAMES, minutes=MINUTES, width=WIDTH, labels=folder / "labels")


def words(root: Path) -> list[str]:
    """Return overrides of ``train.py`` for runs on ``simple_matches``."""
    return [
        f"data.root={root}",
        f"data.demo.games=[{','.join(map(str, GAMES))}]",
        f"data.demo.minutes={MINUTES}",
        f"+data.demo.labels={root.parent / 'labels'}",
        f"data.width={WIDTH}",
        "data.source.streams.demo.groups=[11,12,2,12,11]",
        "data.eval_batch_size=32",
        "trainer=cpu",
        "logger=none",
    ]


def prior(root: Path, split: str, postprocess: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form of a predictor that knows nothing but how often a frame of the training split has a class.

    Of so many equal anchors, noise decides which suppression leaves; no threshold takes any away.
    """
    splits: dict[str, list[str]] = orjson.loads((root / "splits.json").read_bytes())
    train, labels = (SoccerNet().read(root, splits[name], TASK) for name in ("train", split))
    frames = {half: len(np.load(feature_path(root, half, DEFAULT_FILE), mmap_mode="r")) for half in (*train, *labels)}
    counts = np.bincount(np.concatenate([spots.label for spots in train.values()]), minlength=len(TASK.classes))
    rate = counts.clip(1e-3) / sum(frames[half] for half in train)
    logits = np.log(rate / (1 - rate))
    suppression, rng = replace(Postprocess.load(postprocess), threshold=0.0), np.random.default_rng(0)
    said = {
        half: (logits + rng.normal(0, 1e-3, (frames[half], len(TASK.classes)))).astype(np.float32) for half in labels
    }
    found = {half: decode(Scores(each, None, 1.0), suppression, TASK.fps) for half, each in said.items()}
    return average_map(labels, found, TASK)
