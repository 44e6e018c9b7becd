"""OSL in Parquet and tar files: there and back without loss, labels alone, and inputs into their place alone."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotter.cli import main
from spotter.errors import UserError
from spotter.io.exchange.files import is_exchange, read_collection, write_collection
from spotter.io.exchange.shards import FOLDER, TABLE, find_tables, unpack_inputs, write_shards

parquet: Any = pytest.importorskip("pyarrow.parquet")
arrow: Any = pytest.importorskip("pyarrow")


def document() -> dict[str, Any]:
    """Return OSL JSON of three matches: videos, features, a ball beside them, and keys that nobody knows."""
    event = {
        "head": "action",
        "label": "PASS",
        "position_ms": 1500,
        "gameTime": "1 - 00:01",
        "team": "left",
        "their": {"key": [1, None]},
    }
    return {
        "version": "2.0",
        "dataset_name": "Málaga",
        "labels": {"action": {"type": "single_label", "labels": ["SHOT", "PASS"]}},
        "hf_commit": "abc",
        "data": [
            {
                "id": "a",
                "split": "test",
                "inputs": [{"type": "video", "path": "test/videos/a.mp4", "fps": 25.0}],
                "events": [event],
            },
            {
                "id": "b",
                "split": "test",
                "inputs": [
                    {"type": "player_joints_h5", "path": "test/b.h5", "ball_path": "test/b_ball.h5"},
                    {"type": "features", "path": "test/b.npy"},
                ],
                "events": [],
            },
            {
                "id": "c",
                "split": "test",
                "inputs": [{"type": "video", "path": "test/gone.mp4"}],
                "events": [event, event],
            },
        ],
    }


@pytest.fixture
def osl(tmp_path: Path) -> Path:
    """Return a file of OSL JSON, beside the inputs that it names, except for one."""
    folder = tmp_path / "osl"
    for name in ("test/videos/a.mp4", "test/b.h5", "test/b_ball.h5", "test/b.npy"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 100)
    (folder / "annotations_test.json").write_text(json.dumps(document()), "utf-8")
    return folder / "annotations_test.json"


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_there_and_back_with_all_inputs(osl: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shards, back = tmp_path / "shards", tmp_path / "back"
    caplog.set_level("INFO")
    assert main(["convert", str(osl), str(shards), "--to", "osl-shards"]) == 0
    assert f"not kept: 1 inputs of test, which are not below {osl.parent}" in caplog.text
    assert set(files_of(shards / "test")) == {TABLE, "shard_manifest.parquet", "shards/shard-000000.tar"}
    assert main(["convert", str(shards), str(back), "--to", "osl", "--inputs"]) == 0
    assert "4 inputs unpacked, 0 were there" in caplog.text
    before, after = read_collection(osl), read_collection(back)
    assert after.videos == before.videos
    assert after.classes == before.classes == ["SHOT", "PASS"]
    assert {key: after.more[key] for key in ("dataset_name", "hf_commit")} == {
        "dataset_name": "Málaga",
        "hf_commit": "abc",
    }
    expected = {name: content for name, content in files_of(osl.parent).items() if not name.endswith(".json")}
    assert {name: content for name, content in files_of(back).items() if not name.endswith(".json")} == expected
    assert main(["convert", str(shards), str(back), "--to", "osl", "--inputs"]) == 0
    assert "0 inputs unpacked, 4 were there" in caplog.text


def test_names_are_those_of_webdataset(osl: Path, tmp_path: Path) -> None:
    write_shards(tmp_path, document(), osl.parent)
    with tarfile.open(tmp_path / FOLDER / "shard-000000.tar") as tar:
        names = tar.getnames()
        sample = json.loads((tar.extractfile("000000001.json") or io.BytesIO()).read())
    assert names == ["000000000.json", "000000000.0.mp4", "000000001.json", "000000001.0.h5", "000000001.0.ball.h5",
                     "000000001.1.npy", "000000002.json"]  # fmt: skip
    assert sample == document()["data"][1]
    listed = parquet.read_table(tmp_path / "shard_manifest.parquet").to_pylist()
    assert [(row["sample_id"], row["file_role"], row["status"]) for row in listed] == [
        *(("a", "primary", "ok"), ("b", "primary", "ok"), ("b", "ball", "ok"), ("b", "primary", "ok")),
        ("c", "primary", "missing"),
    ]


def test_a_shard_ends_where_the_next_sample_would_make_it_too_large(osl: Path, tmp_path: Path) -> None:
    write_shards(tmp_path, document(), osl.parent, size=3000)
    rows = parquet.read_table(tmp_path / TABLE).to_pylist()
    assert [row["shard_name"] for row in rows] == [f"shard-00000{n}.tar" for n in (0, 1, 2)]
    assert unpack_inputs(tmp_path / TABLE, tmp_path / "out") == (4, 0)


def test_labels_need_no_tar_file_and_evaluation_takes_them(osl: Path, tmp_path: Path) -> None:
    write_collection(tmp_path / "s", read_collection(osl), "osl-shards", "", osl.parent)
    shutil.rmtree(tmp_path / "s" / "test" / FOLDER)
    for path in (tmp_path / "s", tmp_path / "s" / "test", tmp_path / "s" / "test" / TABLE):
        assert is_exchange(path)
        assert [(video.split, len(video.rows)) for video in read_collection(path).videos] == [
            ("test", 1),
            ("test", 0),
            ("test", 2),
        ]
    with pytest.raises(UserError, match="no such tar file: download it, or convert without --inputs"):
        unpack_inputs(tmp_path / "s" / "test" / TABLE, tmp_path / "out")
    assert (
        main(["evaluate", str(tmp_path / "s"), str(osl), "--task", "ball-2024", "--json", str(tmp_path / "x.json")])
        == 0
    )
    assert json.loads((tmp_path / "x.json").read_text())["games"] == 3


@pytest.mark.parametrize("path", ["../../out.mp4", "/out.mp4", "C:/out.mp4", "a/../../../out.mp4"])
def test_an_input_that_leads_out_is_neither_packed_nor_unpacked(path: str, osl: Path, tmp_path: Path) -> None:
    hostile = document()
    with pytest.raises(UserError, match=r"which leads out|which means something else"):
        write_shards(tmp_path / "a", {**hostile, "data": [{"id": "x", "inputs": [{"path": path}]}]}, osl.parent)
    write_shards(tmp_path / "b" / "c", hostile, osl.parent)
    table = parquet.read_table(tmp_path / "b" / "c" / TABLE).to_pylist()
    table[0]["sample_payload"] = json.dumps({"inputs": [{"path": path}]})
    parquet.write_table(arrow.Table.from_pylist(table), tmp_path / "b" / "c" / TABLE)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"which leads out|which means something else"):
        unpack_inputs(tmp_path / "b" / "c" / TABLE, tmp_path / "b" / "c" / "data")
    assert set(tmp_path.rglob("*")) == before


def test_links_and_odd_members_of_a_tar_file_are_left(osl: Path, tmp_path: Path) -> None:
    write_shards(tmp_path, document(), osl.parent)
    with tarfile.open(tmp_path / FOLDER / "shard-000000.tar", "w") as tar:
        link = tarfile.TarInfo("000000000.0.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        for name in ("../000000000.0.mp4", "000000000.7.mp4", "000000009.0.mp4", "readme.txt"):
            tar.addfile(tarfile.TarInfo(name))
    assert unpack_inputs(tmp_path / TABLE, tmp_path / "out") == (0, 0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"sample_id": "a"}], "has no column sample_payload: expected the table of shards of OSL"),
        ([{"sample_payload": "{", "header": "{}"}], "sample 1: not JSON"),
        ([{"sample_payload": "[]", "header": "{}"}], "sample 1: expected an object, found"),
        (
            [{"sample_payload": "{}", "header": "{}"}, {"sample_payload": "{}", "header": '{"a": 1}'}],
            "of 2 files of OSL",
        ),
    ],
)
def test_a_table_of_another_kind_is_named(rows: list[Any], message: str, tmp_path: Path) -> None:
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / TABLE)
    with pytest.raises(UserError, match=message):
        read_collection(tmp_path)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_only_the_declared_error_leaves_damaged_shards(data: st.DataObject, osl: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    if not folder.exists():
        write_shards(folder, document(), osl.parent)
    damaged = tmp_path / "damaged"
    shutil.rmtree(damaged, ignore_errors=True)
    shutil.copytree(folder, damaged)
    path = data.draw(st.sampled_from([damaged / TABLE, damaged / FOLDER / "shard-000000.tar"]))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content))
    try:
        read_collection(damaged)
        unpack_inputs(find_tables(damaged)[0][0], tmp_path / "out")
    except UserError:
        pass


def test_without_pyarrow_one_line_says_what_to_install(
    osl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert main(["convert", str(osl), str(tmp_path / "shards"), "--to", "osl-shards"]) == 1
    assert "shards of OSL need pyarrow: pip install pyarrow" in capsys.readouterr().err
