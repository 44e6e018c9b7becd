"""What a run is trained on, as a user meets it."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import call


def test_features_of_another_rate_are_refused_before_training(tree: Path, tiny: list[str], tmp_path: Path) -> None:
    """Read as two rows a second, features of one end in the middle of each half."""
    words = [*tiny, f"data.root={tree}", "data._target_=spotter.training.datamodule.SpottingDataModule", "~data.demo"]
    called = call("train.py", *words, "data.fps=2", cwd=tmp_path)
    assert called.status == 1
    assert called.err.strip().splitlines()[-1].startswith("error: ")
    assert "training spots (" in called.err
    assert "check data.fps, or train without them: data.max_beyond_end=1" in called.err
