"""A network or a head is added from outside in one file and one YAML: trained, predicted with trust, and scored."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

import spotter
from spotter.errors import UserError
from tests.conftest import call
from tests.helpers.videos import write_matches

WINDOW = """
defaults: [_window]
network:
  _target_: my_window.MyWindow
  window: ${model.clips.clip_len}
clips:
  clip_len: ${frames:8,${data.fps}}
"""
VIDEO = """
defaults: [_video]
network:
  _target_: my_video.MyVideo
head:
  _target_: spotter.models.blocks.dense.DenseHead
  radius: 0.2
  displacement_radius: 0.4
pretrained: false
"""
PLAIN = """
defaults: [_dense]
network:
  _target_: my_plain.Plain
  dim: 8
"""
HEAD = """
defaults: [_common]
network:
  _target_: spotter.models.linear.PerFrame
head:
  _target_: my_head.BumpHead
  radius: 3.0
clips:
  clip_len: 32
mixup: {alpha: 1.0, probability: 0.5}
postprocess: {method: nms, window: 10.0, threshold: 0.001}
"""
CONFIGS = {"my_window": WINDOW, "my_video": VIDEO, "my_plain": PLAIN, "my_head": HEAD}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with YAMLs of a user's own models, whose modules can be imported."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "extensions"))
    for name, text in CONFIGS.items():
        (tmp_path / "conf" / "model").mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / "model" / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.fixture
def rows(tree: Path) -> Path:
    """Return the features of a half."""
    return next(tree.rglob("1_*.npy"))


def train(project: Path, *words: str) -> Path:
    """Train a run of the user's project; return its folder."""
    called = call("train.py", "--config-dir", str(project / "conf"), *words, cwd=project)
    assert called.status == 0, called.err
    (run,) = project.glob("outputs/*/*")
    return run


def check(run: Path, match: Path, name: str, upsample: int, displaced: bool) -> None:
    """Assert that a run was scored, and that it predicts a match if, and only if, its module is trusted."""
    assert set(orjson.loads((run / "metrics.json").read_bytes())) == {"valid", "test"}
    with pytest.raises(UserError, match=f"trust={name}"):
        spotter.load(run)
    model = spotter.load(run, trust=name)
    scores = model.scores(match, progress=False)
    assert len(scores.times) % upsample == 0
    assert scores.times[1] - scores.times[0] == pytest.approx(1 / (model.fps * upsample))
    assert (scores.displacements is not None) == displaced
    assert len(model.predict(match, progress=False).to_frame()) > 0


@pytest.mark.slow
def test_a_network_of_windows(project: Path, tiny: list[str], rows: Path) -> None:
    run = train(project, "model=my_window", *tiny)
    check(run, rows, "my_window", 1, displaced=False)


@pytest.mark.slow
def test_a_dense_network_of_video_with_a_displacement(project: Path) -> None:
    matches = write_matches(project / "matches")
    words = ["data=ball", f"data.root={matches}", "data.fps=12.5", "data.size=[36,64]"]
    words += ["data.batch_size=2", "data.num_workers=0", "model.clips.clip_len=16", "model.clips.per_epoch=8"]
    run = train(project, "model=my_video", *words, "trainer=cpu", "trainer.max_epochs=2", "logger=none")
    check(run, matches / "l/s/c/224p.mp4", "my_video", 2, displaced=True)


def test_a_head_with_its_own_targets_and_loss(project: Path, tiny: list[str], rows: Path) -> None:
    run = train(project, "model=my_head", *tiny)
    check(run, rows, "my_head", 1, displaced=False)


def test_a_network_as_version_0_1_asked_for(project: Path, tiny: list[str], rows: Path) -> None:
    """A plain module with a width, as the README of 0.1 shows it."""
    run = train(project, "model=my_plain", *tiny)
    check(run, rows, "my_plain", 2, displaced=True)
