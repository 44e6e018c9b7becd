"""An imported checkpoint predicts what the codebase that it comes from says, in the order of our classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import torch

from spotter.cli import main
from spotter.io.checkpoints import open_checkpoint
from spotter.models.pretrained import load_published
from spotter.models.system import System
from spotter.tasks import Task
from tests.conftest import call
from tests.helpers import published_pools
from tests.helpers.golden import save, state_of
from tests.helpers.networks import both
from tests.helpers.videos import write_video

SOCCER = {"dataset": "soccernetv2", "clip_len": 6, "crop_dim": None, "modality": "rgb", "dilate_len": 0}
BALL = {"dataset": "soccernet_ball", "clip_len": 6, "crop_dim": 64, "modality": "rgb", "dilate_len": 1}


def imported(folder: Path, *words: str) -> System:
    """Import the checkpoint in a folder and open what was written."""
    assert main(["import-checkpoint", str(folder), str(folder / "out.ckpt"), "--from", "e2e-spot", *words]) == 0
    return System.load(open_checkpoint(folder / "out.ckpt"))


def settings(folder: Path) -> dict[str, Any]:
    """Return the settings in the checkpoint that was written."""
    return dict(open_checkpoint(folder / "out.ckpt")["hyper_parameters"])


@pytest.mark.parametrize("temporal", ["gru", "mstcn", "asformer", "none"])
def test_classes_come_in_our_order(temporal: str, tmp_path: Path) -> None:
    task = Task.load("soccernet-v2")
    save(tmp_path, state_of(temporal=temporal, classes=17), **SOCCER)
    system, theirs = imported(tmp_path), load_published(tmp_path, "e2e-spot")
    torch.manual_seed(0)
    clips, valid = torch.randn(2, 6, 3, 32, 32), torch.ones(2, 6, dtype=torch.bool)
    with torch.no_grad():
        said = system.head.predict(system.head(system.network({"video": clips}, {}, valid)))["logits"]
        share = theirs(clips).softmax(-1)
    order = [1 + sorted(task.classes).index(name) for name in task.classes]
    assert order[0] == 10, "penalty is the tenth by name"
    torch.testing.assert_close(said.sigmoid(), share[..., order], rtol=1e-4, atol=1e-6)


def test_a_checkpoint_says_how_it_was_fed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path, state_of(temporal="none", classes=17), **SOCCER)
    system = imported(tmp_path)
    assert "soccernet-v2" in capsys.readouterr().out
    found = settings(tmp_path)
    assert (system.rate, found["source"]["size"], found["source"]["crop"]) == (25 / 12, [224, 398], None)
    assert (system.clips.clip_len, system.clips.overlap) == (6, 0.5)
    assert np.floor(system.postprocess.window * system.rate / 2 + 1e-9) == 2, "frames on either side"
    assert found["head"]["dilate"] == 0
    save(tmp_path, state_of("tsm_block", "none", classes=2), **BALL)
    system = imported(tmp_path)
    assert system.task.name == "ball-2023"
    assert (system.rate, settings(tmp_path)["source"]["crop"]) == (25, [64, 64])
    assert (system.postprocess.window, settings(tmp_path)["head"]["dilate"]) == (2.0, 1)
    assert settings(tmp_path)["network"]["shift"] == "tsm_block"


def test_own_videos_are_predicted_with_it(tmp_path: Path) -> None:
    save(tmp_path, state_of(temporal="none", classes=2), **BALL)
    imported(tmp_path)
    write_video(tmp_path / "match.mp4", 20)
    called = call("predict.py", f"ckpt={tmp_path / 'out.ckpt'}", f"input={tmp_path / 'match.mp4'}", cwd=tmp_path)
    assert called.status == 0, called.err
    written = next(tmp_path.rglob("match/results_spotting.json"))
    spots = orjson.loads(written.read_bytes())["predictions"]
    assert {spot["label"] for spot in spots} <= {"PASS", "DRIVE"}
    assert spots


@pytest.mark.parametrize(
    ("config", "words", "said"),
    [
        ({"dataset": "tennis"}, [], ["tennis", "--task and --fps"]),
        ({"dataset": "tennis"}, ["--task", "ball-2023"], ["--fps"]),
        ({"dataset": "soccernetv2"}, [], ["2 classes", "17"]),
        ({"modality": "flow"}, [], ["flow"]),
        ({"clip_len": None}, [], ["config.json", "clip length"]),
        ({"clip_len": "six"}, [], ["config.json: clip_len", "'six'"]),
        ({"crop_dim": [64]}, [], ["config.json: crop_dim", "[64]"]),
        ({"dilate_len": 0.5}, [], ["config.json: dilate_len", "0.5"]),
    ],
)
def test_mistakes_are_one_line(
    config: dict[str, Any], words: list[str], said: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {key: value for key, value in {**BALL, **config}.items() if value is not None}
    save(tmp_path, state_of(temporal="none", classes=2), **given)
    assert main(["import-checkpoint", str(tmp_path), str(tmp_path / "out.ckpt"), "--from", "e2e-spot", *words]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert all(word in lines[0] for word in said), lines
    assert not (tmp_path / "out.ckpt").exists()


def pooled(folder: Path, kind: str, codebase: str, *words: str, columns: int = 6, classes: int = 17) -> System:
    """Write a checkpoint of a pooling codebase, import it and open what was written."""
    published_pools.save(folder / "model.pth.tar", published_pools.shapes_of(kind, classes, columns))
    command = ["import-checkpoint", str(folder / "model.pth.tar"), str(folder / "out.ckpt"), "--from", codebase]
    assert main([*command, *words]) == 0
    return System.load(open_checkpoint(folder / "out.ckpt"))


@pytest.mark.parametrize(
    ("kind", "codebase", "columns", "rows"),
    [
        ("MAX", "sn-pooling", 6, 40),
        ("NetVLAD/sn", "sn-pooling", 6, 40),
        ("NetVLAD++", "netvladpp", 6, 30),
        ("NetVLAD++", "netvladpp", 9, 30),
        ("NetRVLAD", "netvladpp", 9, 30),
        ("MAX", "netvladpp", 9, 30),
    ],
)
def test_pooling_baselines_say_what_they_said(
    kind: str, codebase: str, columns: int, rows: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system = pooled(tmp_path, kind, codebase, columns=columns)
    assert f"windows of {rows} rows of {columns} columns (ResNET_TF2, 2 a second)" in capsys.readouterr().out
    theirs = load_published(tmp_path / "model.pth.tar", codebase)
    torch.manual_seed(0)
    length = 2 * rows
    half = torch.randn(1, length, columns)
    index = (torch.arange(length)[:, None] - rows // 2 + torch.arange(rows)).clamp(0, length - 1)  # around every frame
    with torch.no_grad():
        tokens = system.network({"resnet": half}, {"resnet": torch.zeros(1)}, torch.ones(1, length, dtype=torch.bool))
        said, displacement = both(system.head.predict(system.head(tokens)))
        expected = theirs(half[0, index])[:, 1:]
    assert displacement is None
    torch.testing.assert_close(said[0].sigmoid(), expected, atol=1e-5, rtol=0)


def test_feature_major_weights_are_turned_round(tmp_path: Path) -> None:
    system = pooled(tmp_path, "NetVLAD++", "netvladpp")
    state = torch.load(tmp_path / "model.pth.tar", weights_only=True)["state_dict"]
    ours, theirs = system.head.classes[1].weight, state["fc.weight"]
    dim, clusters = 6, 2  # of each half
    for half in (0, 1):
        for cluster in range(clusters):
            for feature in range(dim):
                there, here = feature * clusters + cluster, cluster * dim + feature
                assert torch.equal(ours[:, half * 12 + here], theirs[:, half * 12 + there])


def test_pooling_baselines_are_scored_as_published(tmp_path: Path) -> None:
    def suppression(kind: str, codebase: str, *words: str) -> tuple[Any, ...]:
        system = pooled(tmp_path, kind, codebase, *words)
        post = system.postprocess
        return post.method, post.window, post.threshold, settings(tmp_path)["clips"]["clip_len"]

    assert suppression("MAX", "sn-pooling") == ("nms", 20.0, 0.0, 40)
    assert suppression("NetVLAD/sn", "sn-pooling") == ("nms", 20.0, 0.5, 40)
    assert suppression("NetVLAD++", "netvladpp") == ("nms", 30.0, 0.0, 30)
    assert suppression("NetVLAD++", "netvladpp", "--window", "7", "--fps", "1") == ("nms", 30.0, 0.0, 7)
    system = pooled(tmp_path, "AVG", "netvladpp", "--pool", "mean", "--features", "mine", columns=8)
    assert settings(tmp_path)["network"]["pool"] == "mean"
    assert settings(tmp_path)["source"]["streams"]["resnet"]["file"] == "mine"
    assert system.rate == 2


def test_own_features_are_predicted_with_a_pooling_baseline(tmp_path: Path) -> None:
    (tmp_path / "cards.yaml").write_text(
        "name: soccernet-v1\nclasses: [Card, Substitution, Goal]\nlabel_file: Labels.json\nfps: 2\nmonitor: loose_map\n"
    )
    pooled(tmp_path, "NetVLAD++", "netvladpp", "--task", str(tmp_path / "cards.yaml"), classes=3)
    rows = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    np.save(tmp_path / "2_match.npy", rows)
    called = call("predict.py", f"ckpt={tmp_path / 'out.ckpt'}", f"input={tmp_path / '2_match.npy'}", cwd=tmp_path)
    assert called.status == 0, called.err
    written = next(tmp_path.rglob("results_spotting.json"))
    spots = orjson.loads(written.read_bytes())["predictions"]
    assert {spot["label"] for spot in spots} == {"Card", "Substitution", "Goal"}
    assert {spot["half"] for spot in spots} == {"2"}
    apart = [sorted(int(spot["position"]) for spot in spots if spot["label"] == label) for label in ("Card", "Goal")]
    assert all(np.diff(times).min() > 15_000 for times in apart), "suppressed within 30 s"


def test_a_checkpoint_is_not_written_over_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published_pools.save(tmp_path / "model.pth.tar", published_pools.shapes_of("MAX"))
    before = (tmp_path / "model.pth.tar").read_bytes()
    (tmp_path / "link.ckpt").symlink_to("model.pth.tar")
    for out in ("model.pth.tar", "link.ckpt"):
        words = [str(tmp_path / "model.pth.tar"), str(tmp_path / out), "--from", "sn-pooling"]
        assert main(["import-checkpoint", *words]) == 2
        assert f"{out}: is the checkpoint itself" in capsys.readouterr().err
    assert (tmp_path / "model.pth.tar").read_bytes() == before


class Trap:
    """Do something when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("sprung"),)


@pytest.mark.parametrize(
    ("kind", "words", "status", "said"),
    [
        ("NetVLAD++", ["--from", "sn-pooling"], 1, ["model.pth.tar", "--from netvladpp"]),
        ("NetVLAD/sn", ["--from", "netvladpp"], 1, ["--from sn-pooling"]),
        ("NetVLAD/sn", ["--from", "sn-pooling", "--pool", "mean"], 1, ["netvlad", "leave --pool out"]),
        ("MAX", ["--from", "sn-pooling", "--task", "ball-2023"], 1, ["17 classes", "ball-2023 has 2"]),
        ("MAX", ["--from", "sn-pooling", "--fps", "fast"], 1, ["--fps", "'fast'"]),
        ("MAX", ["--from", "sn-pooling", "--window", "-3"], 2, ["--window", "seconds"]),
        ("MAX", ["--from", "e2e-spot"], 1, ["no checkpoint of E2E-Spot"]),
        ("MAX", ["--from", "e2e-spot", "--window", "3"], 2, ["--window", "leave it out"]),
    ],
)
def test_mistakes_with_pooling_baselines_are_one_line(
    kind: str, words: list[str], status: int, said: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published_pools.save(tmp_path / "model.pth.tar", published_pools.shapes_of(kind))
    assert main(["import-checkpoint", str(tmp_path / "model.pth.tar"), str(tmp_path / "out.ckpt"), *words]) == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert all(word in lines[0] for word in said), lines
    assert not (tmp_path / "out.ckpt").exists()


def test_three_classes_and_pickled_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["import-checkpoint", "model.pth.tar", "out.ckpt", "--from", "sn-pooling"]
    published_pools.save(tmp_path / "model.pth.tar", published_pools.shapes_of("MAX", classes=3))
    assert main(command) == 1
    assert "3 classes" in (said := capsys.readouterr().err)
    assert "--task" in said
    assert "card, substitution, goal" in said
    published_pools.save(tmp_path / "model.pth.tar", published_pools.shapes_of("MAX"), trap=Trap())
    assert main(command) == 1
    assert "model.pth.tar: damaged, or no checkpoint of plain tensors" in capsys.readouterr().err
    assert not Path("sprung").exists()
    assert not Path("out.ckpt").exists()
