"""Features of other codebases are converted and checked, and what a pickle names is never run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import orjson
import pytest
from sklearn.decomposition import PCA

from spotter.data.pca import Pca
from tests.conftest import Called, call

ROWS = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)


def prepare(cwd: Path, *words: str) -> Called:
    return call("prepare", "features", "src", "dst", *words, cwd=cwd)


def save(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, content, allow_pickle=True)  # type: ignore[arg-type]


def test_every_kind_becomes_an_official_file(tmp_path: Path) -> None:
    src, game = tmp_path / "src", tmp_path / "src/l/s/g"
    save(game / "1_plain.npy", ROWS.astype(">f8"))
    save(game / "2_plain.npy", ROWS[:, None])
    save(src / "l/s/h/1_open.npy", np.array({"features": ROWS[:, None], "cls_score_all": ROWS}, dtype=object))
    np.savez(game / "1_zipped.npz", only=ROWS)
    with h5py.File(game / "2_zipped.h5", "w") as file:
        file["features"] = ROWS
        file["other"] = ROWS * 2
    save(src / "match.npy", ROWS)
    (game / "Labels-v2.json").write_text("{}")
    said = prepare(tmp_path, "--fps", "1")
    assert said.status == 0, said.err
    assert said.out.startswith("dst: 6 files converted, 0 were there; ")
    names = ["l/s/g/1_plain", "l/s/g/2_plain", "l/s/h/1_open", "l/s/g/1_zipped", "l/s/g/2_zipped", "match/1_features"]
    for name in names:
        rows = np.load(tmp_path / "dst" / f"{name}.npy", allow_pickle=False)
        assert (rows.dtype, rows.shape) == (np.float16, ROWS.shape)
        assert rows == pytest.approx(ROWS, abs=2e-3)
        about = orjson.loads((tmp_path / "dst" / f"{name}.json").read_bytes())
        assert (about["fps"], about["offset"]) == ("1", 2.5 if "open" in name else 0.0)
    assert (tmp_path / "dst/l/s/g/Labels-v2.json").is_file()
    assert prepare(tmp_path, "--fps", "1").out.startswith("dst: 0 files converted, 6 were there")


def test_what_does_not_fit_is_named_or_counted(tmp_path: Path) -> None:
    large = ROWS.copy()
    large[0, 0] = 1e6
    save(tmp_path / "src/g/1_a.npy", large)
    said = prepare(tmp_path, "--fps", "1")
    assert (said.status, "1e+06 do not fit into float16; take --dtype float32" in said.err) == (1, True)
    assert not (tmp_path / "dst/g/1_a.npy").exists()
    large[0, 0] = np.nan
    save(tmp_path / "src/g/1_a.npy", large)
    assert "1 row not finite" in prepare(tmp_path, "--fps", "1").out
    np.savez(tmp_path / "src/g/2_a.npz", one=ROWS, two=ROWS)
    assert "2_a.npz: holds one, two; say which with --key" in prepare(tmp_path, "--fps", "1").err
    save(tmp_path / "src/g/2_a.npy", ROWS)
    assert "would both become" in prepare(tmp_path, "--fps", "1").err


def test_files_that_were_made_another_way_are_not_taken_for_the_same(tmp_path: Path) -> None:
    save(tmp_path / "src/g/1_a.npy", ROWS)
    assert prepare(tmp_path, "--fps", "1").status == 0
    for words, what in (
        (["--fps", "2"], "by fps,"),
        (["--fps", "1", "--offset", "3"], "by offset,"),
        (["--fps", "1", "--dtype", "float32"], "by dtype float16,"),
    ):
        said = prepare(tmp_path, *words)
        assert (said.status, said.out) == (1, "")
        assert f"1_a.npy: was made another way, {what} see 1_a.json" in said.err
    (tmp_path / "dst/g/1_a.npy").unlink()
    assert prepare(tmp_path, "--fps", "1", "--offset", "3").status == 0
    assert "by offset" in prepare(tmp_path, "--fps", "1").err
    (tmp_path / "dst/g/1_a.npy").write_bytes(b"")
    assert "1_a.npy: no readable array" in prepare(tmp_path, "--fps", "1").err


def test_what_is_known_of_features_stays_when_they_are_converted_again(tmp_path: Path) -> None:
    save(tmp_path / "src/g/1_a.npy", ROWS)
    beside = {"fps": "1", "offset": 2.5, "width": 5, "extractor": {"backbone": "resnet152"}}
    (tmp_path / "src/g/1_a.json").write_bytes(orjson.dumps(beside))
    for said in ("1 file converted, 0 were there", "0 files converted, 1 were there"):
        assert said in prepare(tmp_path, "--fps", "1").out
        about = orjson.loads((tmp_path / "dst/g/1_a.json").read_bytes())
        assert (about["offset"], about["extractor"]) == (2.5, {"backbone": "resnet152"})
    said = prepare(tmp_path, "--fps", "2")
    assert (said.status, "1_a.npy: has fps 1 by 1_a.json, not 2" in said.err) == (1, True)
    assert "by offset" in prepare(tmp_path, "--fps", "1", "--offset", "1").err
    (tmp_path / "src/g/1_a.json").write_bytes(orjson.dumps(beside | {"offset": "late"}))
    assert "1_a.json: offset: expected seconds, found 'late'" in prepare(tmp_path, "--fps", "1").err


def test_what_is_converted_is_not_converted_again(tmp_path: Path) -> None:
    save(tmp_path / "src/g/1_a.npy", ROWS)
    said = prepare(tmp_path, "--fps", "1", "--name", "half/a")
    assert "--name: expected the name of a file in the folder of a game, found 'half/a'" in said.err
    for dst in ("src", "src/half"):
        said = call("prepare", "features", "src", dst, "--fps", "1", cwd=tmp_path)
        assert (said.status, "DST: give a folder outside of SRC" in said.err) == (2, True)


def test_a_year_is_no_half(tmp_path: Path) -> None:
    save(tmp_path / "src/2015_final.npy", ROWS)
    assert prepare(tmp_path, "--fps", "1").status == 0
    assert (tmp_path / "dst/2015_final/1_features.npy").is_file()


class Evil:
    """Make a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)


@pytest.mark.parametrize("content", [Evil(), {"features": Evil()}], ids=["itself", "inside"])
def test_nothing_in_a_pickle_is_run(tmp_path: Path, content: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "src/g/1_a.npy", np.array(content, dtype=object))
    said = prepare(tmp_path, "--fps", "1")
    assert (said.status, "which is not loaded; only arrays are taken out of a pickle" in said.err) == (1, True)
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(content))
    said = call("prepare", "pca", "evil.pkl", "out.npz", cwd=tmp_path)
    assert (said.status, "which is not loaded" in said.err) == (1, True)
    assert not (tmp_path / "ran").exists()


def test_published_components_become_a_plain_file(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(50, 6))
    average = rows.mean(0).astype(np.float32)
    pca = PCA(3).fit(rows - average)
    (tmp_path / "pca.pkl").write_bytes(pickle.dumps(pca))
    (tmp_path / "average.pkl").write_bytes(pickle.dumps(average, protocol=2))
    said = call("prepare", "pca", "pca.pkl", "out.npz", "--average", "average.pkl", cwd=tmp_path)
    assert said.out == "out.npz: 6 columns become 3\n", said.err
    assert Pca.load(tmp_path / "out.npz")(rows) == pytest.approx(pca.transform(rows - average), abs=1e-5)
    (tmp_path / "broken.pkl").write_bytes(pickle.dumps(pca)[:100])
    assert "a damaged pickle" in call("prepare", "pca", "broken.pkl", "out.npz", cwd=tmp_path).err


def test_components_are_learned_from_the_training_games_of_a_folder(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float16)
    for game, part in (("l/s/a", rows[:30]), ("l/s/b", 100 * rows[30:])):
        save(tmp_path / "tree" / game / "1_own.npy", part)
    (tmp_path / "tree/splits.json").write_bytes(orjson.dumps({"train": ["l/s/a"], "valid": ["l/s/b"], "test": []}))
    said = call("prepare", "pca", "tree", "out.npz", "--name", "own", "--components", "2", cwd=tmp_path)
    assert said.out == "out.npz: 5 columns become 2\n", said.err
    assert Pca.load(tmp_path / "out.npz").mean == pytest.approx(rows[:30].mean(0), abs=1e-3)
    for words, expected in (
        ([], "--name: give that of the features"),
        (["--name", "../own"], "--name: expected the name of a file"),
        (["--name", "other"], "has no features other of the training split"),
    ):
        said = call("prepare", "pca", "tree", "no.npz", *words, cwd=tmp_path)
        assert said.status in (1, 2)
        assert expected in said.err
