"""A tree in a store of objects: what a run needs of it is fetched once, whole, and read from the local tree."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest

from spotter.data.remote import RemoteTree, fetch_games
from spotter.data.replays import ReplaySource
from spotter.data.video.source import VideoSource
from spotter.errors import UserError
from spotter.training.datamodule import SpottingDataModule
from spotter.training.replays import ReplayDataModule
from tests.conftest import call
from tests.helpers.trees import TASK, source_of, write_game

CLIPS = {"clip_len": 10, "per_epoch": 64}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Return a tree of two games, whose names HTTP has to quote."""
    root = tmp_path / "there"
    for game in ("a b/1 - 2 Málaga", "c"):
        write_game(root, game, {1: 30, 2: 30}, [(1, "Goal", 1000)])
        (root / game / "1_other.npy").write_bytes(b"of no stream")
    (root / "splits.json").write_text('{"train": ["a b/1 - 2 Málaga"], "valid": ["c"]}', encoding="utf-8")
    return root


@pytest.fixture(params=["memory", "http", "file"])
def url(request: pytest.FixtureRequest, there: Path) -> Iterator[str]:
    """Serve the tree by one protocol."""
    if request.param == "file":
        yield f"file://{there}"
    elif request.param == "http":
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(there))) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}"
            server.shutdown()
    else:
        store = fsspec.filesystem("memory")
        store.put(f"{there}/", "/bucket/tree/", recursive=True)
        yield "memory://bucket/tree"
        store.rm("/bucket", recursive=True)


def data_of(root: Path, url: str, **settings: Any) -> SpottingDataModule:
    return SpottingDataModule(TASK.to_dict(), source_of(root), CLIPS, str(root), remote=url, **settings)


def test_what_the_splits_need_is_fetched_once(url: str, there: Path, tmp_path: Path, monkeypatch: Any) -> None:
    root = tmp_path / "here"
    data = data_of(root, url)
    data.fetch()
    data.setup("fit")
    assert {split: [record.half.game for record in records] for split, records in data.records.items()} == {
        "train": ["a b/1 - 2 Málaga"] * 2,
        "valid": ["c"] * 2,
    }
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    found.pop(".fetching")
    assert found == {
        str(path.relative_to(there)): path.read_bytes()
        for path in there.rglob("*")
        if path.is_file() and "other" not in path.name
    }
    monkeypatch.setattr(RemoteTree, "fetch", lambda *_: pytest.fail("it is there"))
    data_of(root, url).fetch()


def test_one_file_that_was_lost_comes_again(url: str, tmp_path: Path) -> None:
    root = tmp_path / "here"
    data_of(root, url).fetch()
    (lost,) = root.glob("c/1_*.npy")
    content = lost.read_bytes()
    lost.unlink()
    data_of(root, url).fetch()
    assert lost.read_bytes() == content


def test_signs_that_urls_give_a_meaning_to_may_be_in_names(url: str, there: Path, tmp_path: Path) -> None:
    game = "a #1? 100%25"
    write_game(there, game, {1: 30, 2: 30}, [])
    if url.startswith("memory"):
        fsspec.filesystem("memory").put(f"{there / game}/", f"/bucket/tree/{game}/", recursive=True)
    data_of(tmp_path / "here", url, splits={"train": [game]}).fetch()
    assert len(list((tmp_path / "here" / game).iterdir())) == 3


def test_what_made_the_features_is_fetched_too(url: str, there: Path, tmp_path: Path) -> None:
    file, root = "feature_text_model.npz", tmp_path / "here"
    assert source_of(root).spec.streams[0].file == "feature"
    if url.startswith("memory"):
        fsspec.filesystem("memory").pipe(f"/bucket/tree/{file}", b"model")
    (there / file).write_bytes(b"model")
    data_of(root, url).fetch()
    assert (root / file).read_bytes() == b"model"


def test_what_describes_features_comes_before_them(
    there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (there / "c" / "2_feature.json").write_text('{"fps": 2}')
    names, came = ["1_feature.npy", "2_feature.npy", "2_feature.json", "L.json"], []  # a store lists in any order
    monkeypatch.setattr(RemoteTree, "files", lambda *_: dict.fromkeys(names))
    monkeypatch.setattr(RemoteTree, "fetch", lambda tree, game, name, *_: came.append(name) or 0)
    fetch_games(RemoteTree(f"file://{there}"), tmp_path / "here", ["c"], (1, 2), source_of(tmp_path / "here"), [])
    assert came == ["2_feature.json", "1_feature.npy", "2_feature.npy"]


def test_what_is_nowhere_is_named_as_missing(url: str, there: Path, tmp_path: Path) -> None:
    data = data_of(tmp_path / "here", url, splits={"train": ["c", "d"]})
    data.fetch()
    with pytest.raises(UserError, match=r"1 file of split train .* first .*here/d/L\.json"):
        data.setup("fit")


def test_a_file_that_came_in_part_is_no_file(there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = RemoteTree(f"file://{there}")
    monkeypatch.setattr("shutil.copyfileobj", lambda source, target, size: target.write(source.read(10)))
    with pytest.raises(
        UserError, match=r"^data\.remote: file://.*c/L\.json cannot be fetched \(10 of \d+ bytes came\)"
    ):
        tree.fetch("c", "L.json", tmp_path / "here", tree.files("c")["L.json"])
    assert os.listdir(tmp_path / "here" / "c") == []


def test_wrong_urls(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^data\.remote: nonsense://a cannot be opened \(Protocol not known"):
        RemoteTree("nonsense://a")
    with pytest.raises(UserError, match=r"^data\.remote: http://a/tree\?sig=x: give the address of a folder, with"):
        RemoteTree("http://a/tree?sig=x")
    with pytest.raises(UserError, match=r"^data\.remote: give data\.root=FOLDER, too"):
        SpottingDataModule(TASK.to_dict(), source_of(tmp_path), CLIPS, remote="memory://a")


def test_the_store_that_would_be_read_is_fetched(tmp_path: Path) -> None:
    """Among stores and videos the rule is that of a local tree; the whole names are there without the files."""
    there, root = tmp_path / "there" / "g", tmp_path / "here"
    there.mkdir(parents=True)
    names = [
        "1_224p_25fps.frames",
        "1_224p_25-12fps.frames",
        "1_112p_25fps.frames",
        "1_720p.mkv",
        "2_224p.mp4",
        "x.npy",
    ]
    for name in names:
        (there / name).write_bytes(name.encode())
    fetch_games(RemoteTree(f"file://{there.parent}"), root, ["g"], (1, 2), VideoSource("25/12", root=root), [])
    assert sorted(path.name for path in (root / "g").iterdir()) == ["1_224p_25-12fps.frames", "2_224p.mp4"]


def test_the_halves_that_replays_are_of_are_fetched(there: Path, tmp_path: Path) -> None:
    root, stream = tmp_path / "here", {"file": "feature", "fps": 1, "width": 3}
    (there / "c" / "Labels-cameras.json").write_text('{"annotations": []}')
    source = ReplaySource({"own": stream}, root)
    ReplayDataModule("replays", source, CLIPS, str(root), {"train": ["c"]}, remote=f"file://{there}").fetch()
    names = ["1_feature.npy", "2_feature.npy", "Labels-cameras.json"]
    assert sorted(path.name for path in (root / "c").iterdir()) == names


@pytest.mark.slow
def test_a_run_trains_from_a_store_of_objects(tree: Path, tiny: list[str], tmp_path: Path) -> None:
    words = [f"data.root={tmp_path}/here", f"data.remote=file://{tree}", "model=linear", "trainer.max_epochs=1"]
    target = "data._target_=spotter.training.datamodule.SpottingDataModule"
    called = call("train.py", *tiny, *words, target, "~data.demo", cwd=tmp_path)
    assert called.status == 0, called.err
    assert "fetching what" in called.err
    assert next(tmp_path.glob("outputs/*/*/metrics.json")).is_file()
