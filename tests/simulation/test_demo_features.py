"""Simulated trees: repeatable, official in layout, at the rates of real football, readable by who knows how."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import orjson
import pytest

from spotter.errors import UserError
from spotter.evaluation.average_map import average_map
from spotter.io.predictions import read_predictions
from spotter.io.soccernet import SoccerNet
from spotter.io.splits import load_splits
from spotter.io.trees import find_games
from spotter.simulation.features import DEMO_VERSION, simulate
from spotter.simulation.features.matches import draw_spots
from spotter.simulation.features.oracle import write_oracle
from spotter.simulation.features.scene import Parts
from spotter.tasks import Task

TASK = Task.load("soccernet-v2")
BAIDU = "baidu_soccer_embeddings"
TINY = {"games": (1, 1, 1), "minutes": 3, "width": 64}


def contents(root: Path) -> dict[str, bytes]:
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}


def labels(root: Path) -> dict[str, bytes]:
    return {name: content for name, content in contents(root).items() if name.endswith(TASK.label_file)}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("demo"), **TINY)


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Label files of two official train games, an official valid game and one of nobody's."""
    splits, root = load_splits(TASK), tmp_path / "labels"
    for game in (*splits["train"][3:5], splits["valid"][0], "my_league/2020-2021/2020-09-01 - 20-00 A 0 - 0 B"):
        rows = [
            {"gameTime": "1 - 00:40", "label": "Corner", "position": "40250", "team": "home", "visibility": "visible"},
            {"gameTime": "2 - 03:07", "label": "Foul", "position": "187500", "team": "away", "visibility": "not shown"},
        ]
        (root / game).mkdir(parents=True)
        (root / game / TASK.label_file).write_bytes(orjson.dumps({"UrlLocal": f"{game}/", "annotations": rows}))
    return root


def test_seed_gives_the_same_bytes_and_another_seed_others(tree: Path, tmp_path: Path) -> None:
    assert contents(simulate(tmp_path / "again", **TINY)) == contents(tree)
    assert labels(simulate(tmp_path / "other", **TINY, seed=1)).values() != labels(tree).values()


def test_games_do_not_depend_on_how_many_there_are(tree: Path, tmp_path: Path) -> None:
    more = contents(simulate(tmp_path, **{**TINY, "games": (2, 1, 1)}))
    fewer = {name: content for name, content in contents(tree).items() if "/" in name}
    assert len(fewer) == 9
    assert fewer.items() <= more.items()


def test_second_file_is_of_the_same_matches(tree: Path, tmp_path: Path) -> None:
    root = simulate(tmp_path, **TINY)
    before = contents(root)
    simulate(root, **{**TINY, "width": 512}, file="ResNET_TF2_PCA512", fps=2)
    alone = simulate(tmp_path / "alone", **{**TINY, "width": 512}, file="ResNET_TF2_PCA512", fps=2)
    after = contents(root)
    assert labels(alone) == labels(tree)
    assert {name: after[name] for name in before if name != "demo.json"} == {
        name: content for name, content in before.items() if name != "demo.json"
    }
    for file in root.glob(f"*/*/*/[12]_{BAIDU}.npy"):
        first, second = np.load(file), np.load(str(file).replace(BAIDU, "ResNET_TF2_PCA512"))
        assert (first.dtype, first.shape[1], second.dtype, second.shape[1]) == (np.float16, 64, np.float16, 512)
        assert abs(2 * len(first) - len(second)) <= 1
    assert set(orjson.loads((root / "demo.json").read_bytes())["files"]) == {BAIDU, "ResNET_TF2_PCA512"}


def test_layout_is_official(tree: Path) -> None:
    splits = orjson.loads((tree / "splits.json").read_bytes())
    games = [game for split in ("train", "valid", "test") for game in splits[split]]
    assert sorted(games) == find_games(tree, TASK.label_file)
    for game in games:
        content = orjson.loads((tree / game / TASK.label_file).read_bytes())
        assert content["UrlLocal"] == f"{game}/"
        assert f"{content['gameHomeTeam']} {content['gameScore']} {content['gameAwayTeam']}" in game
        goals = [row["team"] for row in content["annotations"] if row["label"] == "Goal"]
        assert content["gameScore"] == f"{goals.count('home')} - {goals.count('away')}"
        for row in content["annotations"]:
            second = int(row["position"]) // 1000
            assert row["gameTime"].endswith(f" - {second // 60:02d}:{second % 60:02d}")
    for half, spots in SoccerNet().read(tree, games, TASK).items():
        rows = np.load(tree / half.game / f"{half.number}_{BAIDU}.npy")
        assert np.isfinite(rows).all()
        assert len(rows) >= max(180, spots.time.max(initial=0))


def test_matches_have_the_rates_of_real_ones() -> None:
    rng = np.random.default_rng(0)
    halves = [draw_spots(TASK, 1 + index % 2, 2790.0, rng) for index in range(60)]
    label, visible = (np.concatenate([getattr(half, name) for half in halves]) for name in ("label", "visible"))
    counts = np.bincount(label, minlength=len(TASK.classes)) / len(halves)
    # of SoccerNet-v2's train and valid games
    real = {"Ball out of play": 31.7, "Throw-in": 18.9, "Foul": 11.6, "Corner": 4.8, "Goal": 1.7, "Substitution": 2.8}
    for name, count in real.items():
        assert counts[TASK.classes.index(name)] == pytest.approx(count, rel=0.25)
    assert 95 < counts.sum() < 115
    assert (~visible).mean() == pytest.approx(0.179, abs=0.03)
    assert all((np.diff(half.time) > 0).mean() > 0.99 for half in halves)


def test_activation_is_smooth_and_keeps_the_time_within_a_second() -> None:
    for moment in (20.0, 20.25, 20.5, 20.9):
        part = Parts(np.array([3]), np.array([moment - 0.3]), np.array([moment + 0.3]), np.ones(1))
        active = part.activation(np.arange(40.0), support=5.0)
        assert np.flatnonzero(active.sum(0)).tolist() == [3]
        assert active.sum() == pytest.approx(0.6)
        assert np.average(np.arange(40), weights=active[:, 3]) == pytest.approx(moment, abs=0.02)


def test_oracle_finds_what_is_there(tree: Path, tmp_path: Path) -> None:
    root = simulate(tmp_path / "tree", games=(0, 0, 1), minutes=20, width=64)
    write_oracle(root, tmp_path / "out", BAIDU)
    spots = SoccerNet().read(root, find_games(root, TASK.label_file), TASK)
    form = average_map(spots, read_predictions(tmp_path / "out", find_games(root, TASK.label_file), TASK), TASK)
    present = {TASK.classes[label] for half in spots.values() for label in half.label}
    assert np.mean([form["tight"]["per_class_shown"][name] for name in present]) > 0.6


@pytest.mark.parametrize("packed", [False, True])
def test_labels_are_copied_and_stay_in_their_split(official: Path, tmp_path: Path, packed: bool) -> None:
    source = official
    if packed:
        source = tmp_path / "labels.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for name, content in contents(official).items():
                archive.writestr(f"nested/{name}", content)
    root = simulate(tmp_path / "tree", games=(2, 1, 1), minutes=1, width=32, labels=source)
    splits, own = load_splits(TASK), orjson.loads((root / "splits.json").read_bytes())
    assert own["train"] == splits["train"][3:5]
    assert own["valid"] == splits["valid"][:1]
    assert own["test"][0].startswith("my_league/")
    assert labels(root) == contents(official)
    lengths = [len(np.load(root / own["test"][0] / f"{number}_{BAIDU}.npy")) for number in (1, 2)]
    assert lengths == [60, 197]  # the second half lasts until after its last spot


def test_labels_that_do_not_suffice(official: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds 1 games for split test, not 2: ask for fewer by --games"):
        simulate(tmp_path / "tree", games=(2, 1, 2), labels=official)
    with pytest.raises(UserError, match=r"holds no Labels-v2\.json"):
        simulate(tmp_path / "empty", labels=tmp_path / "tree")
    with pytest.raises(UserError, match="not <league>/<season>/<game>"):
        simulate(tmp_path / "deep", labels=official / "my_league")


def test_interrupted_tree_is_completed(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spotter.simulation.features import tree as module

    def interrupted(path: Path, content: bytes) -> None:
        if path.name.startswith("2_"):
            raise KeyboardInterrupt
        write(path, content)

    write = module.atomic_write
    monkeypatch.setattr(module, "atomic_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path, **TINY)
    assert len(list(tmp_path.rglob("*.npy"))) == 1
    monkeypatch.undo()
    assert contents(simulate(tmp_path, **TINY)) == contents(tree)


def test_complete_tree_is_left_alone(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.simulation.features.tree.atomic_write", lambda *_: pytest.fail("nothing is missing"))
    simulate(tree, **TINY)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, "holds a demo of seed 0, not 1"),
        ({"games": (2, 1, 1)}, r"games \[1, 1, 1\], not \[2, 1, 1\]"),
        ({"width": 32}, "'width': 64"),
        ({"games": (0, 0, 0)}, "three counts"),
        ({"games": (1, 1)}, "three counts"),
        ({"minutes": 0}, "minutes must be at least 0.1"),
        ({"width": 31}, "width must be at least 32"),
        ({"fps": 0}, "fps must be above 0"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"file": "a/b"}, "plain name"),
    ],
)
def test_wrong_parameters_are_refused(tree: Path, changed: dict, message: str) -> None:
    before = contents(tree)
    with pytest.raises(UserError, match=message):
        simulate(tree, **{**TINY, **changed})
    assert contents(tree) == before


def test_folder_of_something_else_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "england_epl").mkdir()
    with pytest.raises(UserError, match=r"holds no demo\.json.*give another folder"):
        simulate(tmp_path, **TINY)
    record = orjson.loads((tree / "demo.json").read_bytes())
    (tmp_path / "demo.json").write_bytes(orjson.dumps({**record, "version": 0}))
    with pytest.raises(UserError, match="version 0, not 1"):
        simulate(tmp_path, **TINY)
    (tmp_path / "demo.json").write_bytes(b"{")
    with pytest.raises(UserError, match="damaged"):
        simulate(tmp_path, **TINY)


def test_version_1_is_frozen(tree: Path) -> None:
    """Scores on the demo are compared over time: whoever changes what it draws must raise ``DEMO_VERSION``."""
    game = orjson.loads((tree / "splits.json").read_bytes())["test"][0]
    digest = hashlib.sha256(b"".join(labels(tree).values())).hexdigest()
    rows = np.load(tree / game / f"2_{BAIDU}.npy").astype(float)
    assert DEMO_VERSION == 1
    assert digest[:16] == "827a29e26eb9653f"
    assert rows[100, :4] == pytest.approx([-0.3911, -2.6094, -0.3943, 1.0967], abs=2e-3)
    assert (rows.mean(), rows.std()) == pytest.approx((-0.3115, 1.3252), abs=1e-3)
