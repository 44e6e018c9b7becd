"""Principal components reduce rows as they are read, in training and wherever the checkpoint is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spotter.data.arrays import ArraySource
from spotter.data.features import FeatureSource
from spotter.data.pca import Pca
from spotter.data.source import InputSpec
from spotter.errors import UserError
from spotter.types import Clip, Half
from tests.conftest import call

HALF = Half("l/s/a", 1)


@pytest.fixture
def rows(tmp_path: Path) -> np.ndarray:
    """Return the rows of a half, which lie in ``tree``, and write components of them."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(30, 8)).astype(np.float16)
    rows[4] = np.nan
    (tmp_path / "tree/l/s/a").mkdir(parents=True)
    np.save(tmp_path / "tree/l/s/a/1_own.npy", rows)
    mean, components = (generator.normal(size=size).astype(np.float32) for size in (8, (3, 8)))
    Pca(mean, components).save(tmp_path / "pca.npz")
    return rows


def stream(tmp_path: Path, **more: object) -> dict[str, dict[str, object]]:
    return {"own": {"file": "own", "fps": 1, "width": 8, "pca": str(tmp_path / "pca.npz"), **more}}


def test_clips_hold_reduced_rows(rows: np.ndarray, tmp_path: Path) -> None:
    source = FeatureSource(stream(tmp_path), tmp_path / "tree")
    assert source.spec.layout["own"]["groups"] == [3]
    found = source.read([HALF], [Clip(0, -2), Clip(0, 25)], 10)[0]["own"]
    expected = Pca.load(tmp_path / "pca.npz")(rows)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[0, 2:6], expected[:4], rtol=1e-5)
    assert found[0, 6].isnan().all(), "a row that is no number stays none"
    np.testing.assert_allclose(found[1, :5], expected[25:], rtol=1e-5)
    assert not found[0, :2].any()
    assert not found[1, 5:].any()


def test_a_checkpoint_holds_the_components_themselves(rows: np.ndarray, tmp_path: Path) -> None:
    stored = FeatureSource(stream(tmp_path), tmp_path / "tree").spec.to_dict()
    (tmp_path / "pca.npz").unlink()
    spec = InputSpec.load(stored)
    again = FeatureSource.of_spec(spec, tmp_path / "tree").read([HALF], [Clip(0, 5)], 4)[0]["own"]
    from_array = ArraySource(rows, 1, spec).read([Half("features", 1)], [Clip(0, 5)], 4)[0]["own"]
    assert torch.equal(again, from_array)
    stored["streams"]["own"]["reduced"] = 4
    with pytest.raises(UserError, match="makes 3 of 8 columns"):
        FeatureSource.of_spec(InputSpec.load(stored), tmp_path / "tree")
    stored["streams"]["own"]["pca"] = "/etc/hosts"
    with pytest.raises(UserError, match=r"own\.pca: is taken from the root of the data"):
        InputSpec.load(stored)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"pca": "no.npz"}, "pca: no file 'no.npz'"),
        ({"width": 9}, "makes 3 of 8 columns, and the features have 9"),
        ({"groups": [4, 4]}, r"own\.groups=null"),
        ({"columns": [0, 4]}, "reduces all columns"),
        ({"pca": None, "reduced": 3}, "number of components"),
    ],
)
def test_what_does_not_fit_is_named(rows: np.ndarray, tmp_path: Path, more: dict[str, object], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        FeatureSource(stream(tmp_path, **more), tmp_path / "tree")


@pytest.mark.slow
def test_a_run_is_trained_on_reduced_rows_and_predicts_whole_ones(tiny: list[str], tree: Path, tmp_path: Path) -> None:
    components = np.random.default_rng(1).normal(size=(5, 32)).astype(np.float32)
    Pca(np.zeros(32, np.float32), components).save(tmp_path / "own pca.npz")
    own = ["data.source.streams.demo.pca=own pca.npz", "data.source.streams.demo.groups=null", "hydra.run.dir=run"]
    called = call("train.py", "model=linear", *tiny, *own, "trainer.max_epochs=1", cwd=tmp_path)
    assert called.status == 0, called.err
    (path, *_) = sorted(tree.rglob("1_*.npy"))
    called = call("predict.py", "ckpt=run", f"input={path}", "out=spots", "trainer=cpu", cwd=tmp_path)
    assert called.status == 0, called.err
