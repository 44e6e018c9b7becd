"""Damaged files of all kinds: nothing but the declared error, in one short line, ever leaves a reader.

``make test`` reads some of each; ``make fuzz`` 100,000 annotations, predictions, splits and tasks each, 20,000
checkpoints and 5,000 compositions of configs; ``FUZZ=0.01 make fuzz`` a hundredth of that.
"""

from __future__ import annotations

import io
import json
import logging
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from spotter.cli.compose import compose_config
from spotter.cli.conf_files import groups_of, options_of
from spotter.cli.mistakes import one_line_errors
from spotter.cli.overrides import quote
from spotter.cli.stored_overrides import check_values, stored_overrides, stored_runtime
from spotter.errors import UserError
from spotter.evaluation.average_map import average_map
from spotter.io.checkpoints import open_checkpoint
from spotter.io.predictions import find_predictions, read_predictions
from spotter.io.soccernet import SoccerNet
from spotter.io.splits import hold_out, load_splits
from spotter.models.system import System
from spotter.tasks import ASSETS, Task
from tests.conftest import PROJECT
from tests.helpers.damage import ODD, damage, damage_bytes

TASK = Task.load("soccernet-v2")
SMALL = Task.load("ball-2023")  # its list of games is short
GAME = "l/s/g"
SCALE = float(os.environ.get("FUZZ", "0.001"))
FILES, CHECKPOINTS, CONFIGS = 100_000, 20_000, 5_000
LABELS = {
    "UrlLocal": "l/s/g/",
    "annotations": [
        {"gameTime": "1 - 00:10", "label": "Goal", "position": "10000", "team": "home", "visibility": "visible"},
        {"gameTime": "2 - 44:59", "label": "Corner", "position": "2699000", "team": "away", "visibility": "not shown"},
        {"gameTime": "2 - 01:00", "label": "Handball", "position": 60000},
    ],
}
GUESSES = {
    "UrlLocal": "l/s/g",
    "predictions": [
        {"gameTime": "1 - 00:10", "label": "Goal", "position": "10400", "half": "1", "confidence": "0.5"},
        {"gameTime": "2 - 44:59", "label": "Corner", "position": 2699000, "half": 2, "confidence": None},
    ],
}


def often(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Call a test with so many random generators, or a fraction of them."""
    number = max(10, round(count * SCALE))

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        limits = settings(
            max_examples=number,
            deadline=None,
            database=None,
            derandomize=SCALE < 0.01,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        return limits(given(seed=st.integers(0, 2**48))(test))

    return decorate


def declared(work: Callable[[], object]) -> bool:
    """Do some work; return whether it succeeded, or ended with the declared error in one short line."""
    said = ""
    try:
        work()
    except UserError as error:
        said = str(error)
    assert len(said) < 2_000
    assert "\n" not in said
    return not said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    logger = logging.getLogger("spotter")
    level = logger.level
    logger.setLevel(logging.ERROR)
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / GAME).mkdir(parents=True)
    yield folder
    logger.setLevel(level)


def damaged(document: Any, random: Random) -> bytes:
    """Return JSON of a damaged document, or damaged JSON."""
    content = json.dumps(document if random.random() < 0.3 else damage(document, random)).encode()
    return damage_bytes(content, random) if random.random() < 0.4 else content


def write(folder: Path, name: str, content: bytes, random: Random) -> Path:
    """Write a game's file in a folder, alone, or in a zip that may be damaged, too; return what is read."""
    way = random.random()
    if way < 0.05:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{GAME}/{name}", content)
        path = folder / "games.zip"
        path.write_bytes(packed.getvalue() if way < 0.01 else damage_bytes(packed.getvalue(), random))
        return path
    path = folder / "one.json" if way < 0.1 else folder / GAME / name
    path.write_bytes(content)
    return path if way < 0.1 else folder


@often(FILES)
def test_annotations(folder: Path, seed: int) -> None:
    random = Random(seed)
    root = write(folder, TASK.label_file, damaged(LABELS, random), random)
    declared(lambda: SoccerNet().games(root, TASK))
    declared(lambda: SoccerNet().read(root, [GAME], TASK))


@often(FILES)
def test_predictions(folder: Path, seed: int) -> None:
    random = Random(seed)
    root = write(folder, "results_spotting.json", damaged(GUESSES, random), random)
    declared(lambda: find_predictions(root))
    if random.random() < 0.99:
        declared(lambda: read_predictions(root, [GAME], TASK))
        return
    (folder / GAME / TASK.label_file).write_text(json.dumps(LABELS))
    labels = SoccerNet().read(folder, [GAME], TASK)
    declared(lambda: average_map(labels, read_predictions(root, [GAME], TASK), TASK))  # whatever was read is scored


@often(FILES)
def test_splits(folder: Path, seed: int) -> None:
    random = Random(seed)
    document = {"train": ["a/b/c", "l/s/2015-02-21 - 18-00 Málaga 1 - 0 it's"], "valid": ["a/b/d"], "test": []}
    (folder / "splits.json").write_bytes(damaged(document, random))
    declared(lambda: hold_out(load_splits(SMALL, folder), f"0/{random.randrange(4)}"))
    (folder / "games.txt").write_bytes(damage_bytes(b"l/s/a\nl/s/b\n", random))
    declared(lambda: load_splits(SMALL, None, {"train": str(folder / "games.txt"), "test": [random.choice(ODD)]}))


@often(FILES)
def test_tasks(folder: Path, seed: int) -> None:
    random = Random(seed)
    whole = {**TASK.to_dict(), "tolerances": [0, 1], "classes": ["Goal", "Foul"], "monitor": "map_within_1"}
    document = damage(whole, random) if random.random() < 0.8 else whole
    declared(lambda: Task.load_stored(document))
    text = yaml.safe_dump(document, allow_unicode=True).encode(errors="replace")
    path = folder / "task.yaml"
    path.write_bytes(damage_bytes(text, random) if random.random() < 0.6 else text)
    declared(lambda: Task.load(path))


@pytest.fixture(scope="module")
def checkpoints() -> list[dict[str, Any]]:
    """Return small checkpoints of version 0.1, and the same in today's format."""
    paths = [
        PROJECT / "tests" / "fixtures" / "v0_1" / f"{name}.ckpt" for name in ("linear", "maxpool", "transformer", "rms")
    ]
    old = [torch.load(path, weights_only=True) for path in paths]
    return old + [{**open_checkpoint(path), "spotter_format": 2} for path in paths]


@often(CHECKPOINTS)
def test_checkpoints(folder: Path, checkpoints: list[dict[str, Any]], seed: int) -> None:
    """Settings, weights or bytes are damaged; what can be loaded has its weights."""
    random = Random(seed)
    content = random.choice(checkpoints)
    part = random.random()
    if part < 0.8:
        content = {**content, "hyper_parameters": damage(content["hyper_parameters"], random)}
    elif part < 0.9:
        content = damage({**content, "state_dict": dict(list(content["state_dict"].items())[:3])}, random)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path = folder / "x.ckpt"
    path.write_bytes(damage_bytes(buffer.getvalue(), random) if part >= 0.9 else buffer.getvalue())
    declared(lambda: System.load(open_checkpoint(path)))


@pytest.fixture(scope="module")
def options() -> dict[str, list[str]]:
    """Return the options of every group of ``spotter train``."""
    names = {name for name in groups_of("train") if name.isidentifier() and name not in ("hydra", "sweep")}
    return {name: [*options_of(name), "nonesuch", "../x", "_base"] for name in sorted(names)}


KEYS = [
    "seed",
    "model.lr",
    "model.clips.clip_len",
    "model.head",
    "model.network._target_",
    "data.fps",
    "data.root",
    "data.task",
]
KEYS += [
    "data.splits.train",
    "data.source.streams",
    "trainer.max_epochs",
    "callbacks.ema",
    "callbacks.best.monitor",
    "logger",
]
KEYS += [
    "postprocess.window",
    "data.clips",
    "model",
    "data",
    "hydra.run.dir",
    "trust",
    "model.mixup",
    "data.width",
    "x.y",
]


@often(CONFIGS)
def test_configs(options: dict[str, list[str]], seed: int) -> None:
    """Options and values of all kinds are composed and resolved."""
    random = Random(seed)
    chosen = random.sample(sorted(options), random.randint(1, 4))
    words = [f"{group}={random.choice(options[group])}" for group in chosen]
    for _ in range(random.randint(0, 3)):
        value = random.choice([*ODD, 8, 0.1, "soccernet-v2", "25/12"])
        text = value[:300] if isinstance(value, str) else json.dumps(value).replace('"', "")
        words.append(quote(f"{random.choice(['', '', '', '+', '++', '~'])}{random.choice(KEYS)}={text}"))

    def compose() -> None:
        with one_line_errors("train", words):
            cfg = compose_config("train", [], words)
            for part in ("model", "data", "postprocess", "trainer"):
                OmegaConf.to_container(cfg[part], resolve=True)

    declared(compose)


@often(FILES // 10)
def test_folders_of_runs(folder: Path, seed: int) -> None:
    """What a run has stored of how it was started."""
    random = Random(seed)
    (folder / ".hydra").mkdir(exist_ok=True)
    words = ["model=linear", "data.root='/a b'", "callbacks.ema.decay=0.9", "data.splits.train=[a,b]"]
    runtime = {
        "hydra": {"runtime": {"choices": {"model": "linear"}, "config_sources": [{"provider": "x", "path": "y"}]}}
    }
    for name, document in (("overrides", words), ("hydra", runtime)):
        text = yaml.safe_dump(damage(document, random)).encode(errors="replace")
        path = folder / ".hydra" / f"{name}.yaml"
        path.write_bytes(damage_bytes(text, random) if random.random() < 0.6 else text)
    declared(lambda: check_values(stored_overrides(folder), folder))
    declared(lambda: stored_runtime(folder))


def test_all_readers_are_here() -> None:
    """A task that ships is read as it is."""
    for path in sorted((ASSETS / "tasks").glob("*.yaml")):
        assert declared(lambda path=path: Task.load(path))  # type: ignore[misc]
