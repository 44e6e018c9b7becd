"""Files that are small and hold much, are deep, or have one value of 100 MB: refused or shown in one short line."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from spotter.bounded import MB, parse_json, read_file, read_yaml
from spotter.data.commentary.text_model import TextModel
from spotter.errors import UserError, shorten
from spotter.io.predictions import read_predictions
from spotter.io.scores import load_scores, load_scores_info
from spotter.io.soccernet import SoccerNet
from spotter.io.splits import load_splits
from spotter.tasks import Task

TASK = Task.load("soccernet-v2")
GAME = "l/s/g"
MEMBER = f"{GAME}/{TASK.label_file}"


def pack(path: Path, members: dict[str, int]) -> Path:
    """Write a zip whose members are so many MB of spaces each."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in members.items():
            with archive.open(name, "w", force_zip64=True) as file:
                for _ in range(size):
                    file.write(b" " * MB)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "members", [{MEMBER: 300}, {MEMBER: 1, **{f"{i}/x": 150 for i in range(3)}}], ids=["one", "all"]
)
def test_a_zip_that_declares_more_than_labels_have(tmp_path: Path, members: dict[str, int]) -> None:
    """One file of hundreds of MB, or all together."""
    path = pack(tmp_path / "labels.zip", members)
    assert path.stat().st_size < 3 * MB
    with pytest.raises(UserError, match=r"has more than 256 MB|would unpack to more than 200 times its size"):
        SoccerNet().read(path, [GAME], TASK)


def test_a_zip_that_holds_more_than_it_declares(tmp_path: Path) -> None:
    path = pack(tmp_path / "labels.zip", {MEMBER: 100})
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 24, 1000)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read|no readable zip|not JSON"):
        SoccerNet().read(path, [GAME], TASK)


def test_a_zip_of_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.bounded.MOST_MEMBERS", 3)
    path = pack(tmp_path / "labels.zip", {f"{i}/{TASK.label_file}": 0 for i in range(4)})
    with pytest.raises(UserError, match=r"holds 4 files, at most 3"):
        SoccerNet().games(path, TASK)


@pytest.mark.parametrize("key", ["label", "position", "gameTime", "half", "confidence"])
@pytest.mark.parametrize("wrap", [False, True])
def test_a_value_of_100_mb_is_not_printed(
    tmp_path: Path, key: str, wrap: bool, caplog: pytest.LogCaptureFixture
) -> None:
    long = "x" * (100 * MB if (key, wrap) == ("label", False) else MB)
    entry: dict[str, object] = {"gameTime": "1 - 00:10", "label": "Goal", "position": "1", "half": "1"}
    entry |= {"confidence": "0.5", key: [long] if wrap else long}
    (tmp_path / GAME).mkdir(parents=True)
    said = []
    for name, listed, read in (
        (TASK.label_file, "annotations", SoccerNet().read),
        ("results_spotting.json", "predictions", read_predictions),
    ):
        (tmp_path / GAME / name).write_text(json.dumps({listed: [entry]}))
        try:
            read(tmp_path, [GAME], TASK)
        except UserError as error:
            said.append(str(error))
    assert said or caplog.text
    assert max(map(len, [*said, *caplog.messages])) < 500


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 1_000 + b"]" * 1_000,
        b"[" + b"[]," * 4_000_001 + b"0]",
        b"[" + b"0," * 40_000_001 + b"0]",
    ],
    ids=["deep", "deep objects", "rather deep", "many objects", "many values"],
)
def test_json_of_much_structure(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "splits.json").write_bytes(content)
    with pytest.raises(UserError) as raised:
        load_splits(TASK, tmp_path)
    assert len(str(raised.value)) < 500


def test_files_are_not_read_whole_to_be_refused(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    with path.open("wb") as file:
        file.truncate(20_000 * MB)  # sparse
    with pytest.raises(UserError, match="more than 2 MB"):
        read_file(path, 2 * MB)
    with pytest.raises(UserError, match="more than 1 MB"):
        read_yaml(path)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]",
        "a: &a {x: 1}\nb: {<<: *a}",
        "[" * 10_000,
        "classes: 2001-99-99",
        "fps: 0b",
        "? [a]\n: 1",
        "!!python/object/apply:os.system [exit]",
        "a: !!python/name:os.system",
        "fps: " + "9" * 5_000,
        "0x" + "f" * 5_000,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_yaml_of_tasks(tmp_path: Path, text: str) -> None:
    """Bombs of aliases, depth, odd scalars, and tags of Python."""
    (tmp_path / "task.yaml").write_text(text)
    with pytest.raises(UserError) as raised:
        Task.load(tmp_path / "task.yaml")
    assert len(str(raised.value)) < 500 + len(str(tmp_path))


def npz(**arrays: object) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def lying(shape: str) -> bytes:
    """Return an ``.npz`` whose array says that it is of another shape."""
    content, header = (
        io.BytesIO(),
        f"{{'descr':'<f4','fortran_order':False,'shape':{shape}}}".encode().ljust(117) + b"\n",
    )
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("logits.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        npz(logits=np.zeros((100, MB), np.float32)),
        npz(logits=np.array([{"a": 1}], object), fps=1.0, offset=0.0),
        lying("(10**12,)"),
        lying("(1000000000000000,17)"),
        lying("(-1,17)"),
        lying("(("),
        b"",
        b"PK",
    ],
    ids=["bomb", "pickled", "sum", "shape", "negative", "unclosed", "empty", "cut"],
)  # fmt: skip
def test_arrays(tmp_path: Path, content: bytes) -> None:
    """Of raw scores and of text models: what is pickled, unpacks to much, or lies about its size."""
    (tmp_path / GAME).mkdir(parents=True)
    (tmp_path / GAME / "1.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"1\.npz"):
        list(load_scores(tmp_path))
    with pytest.raises(UserError, match="here"):
        TextModel.parse(content, "here")


def test_a_stored_task_is_no_path(tmp_path: Path) -> None:
    """A file of scores cannot make spotter read another file."""
    (tmp_path / "scores.json").write_text(json.dumps({"task": "/etc/passwd", "split": "test", "postprocess": {}}))
    with pytest.raises(UserError, match="the task '/etc/passwd' is unknown"):
        load_scores_info(tmp_path)


def test_values_are_shortened() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert shorten(deep) == "[[[...]]]"
    assert shorten("it's") == '"it\'s"'
    assert max(len(shorten(value)) for value in ("x" * MB, ["y" * MB] * 9, {"z" * MB: "z" * MB}, 9**9999, 1e300)) < 600


def test_json_is_read_as_before() -> None:
    assert parse_json(b'{"a": [NaN, 1]}', "here") is not None
    with pytest.raises(UserError, match="here: not JSON"):
        parse_json(b"{", "here")
