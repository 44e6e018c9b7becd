"""A stream's description is checked key by key, and its files before a row is believed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.streams import Stream
from spotter.errors import UserError
from spotter.types import Half

CONTENT: dict[str, Any] = {"file": "feature", "fps": 2, "width": 10, "groups": [4, 1, 5]}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def test_a_description_survives_a_checkpoint() -> None:
    stream = Stream.load("a", {**CONTENT, "fps": "25/12", "columns": [2, 6], "offset": 2.5})
    assert Stream.load("a", stream.to_dict()) == stream
    assert (stream.fps, stream.groups, stream.columns, stream.offset) == (25 / 12, (4, 1, 5), (2, 6), 2.5)
    plain = Stream.load("b", {"file": "feature", "fps": 2, "width": 10, "groups": None, "columns": None})
    assert (plain.groups, plain.columns, plain.offset) == ((10,), None, 0.0)
    assert Stream.load("b", plain.to_dict()) == plain


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.data())
def test_groups_are_cut_to_the_columns_that_are_read(groups: list[int], data: st.DataObject) -> None:
    width = sum(groups)
    first = data.draw(st.integers(0, width - 1))
    last = data.draw(st.integers(first + 1, width))
    content = {"file": "f", "fps": 1, "width": width, "groups": groups}
    owner = np.repeat(np.arange(len(groups)), groups)[first:last]  # whose column each read one is
    expected = [int(np.sum(owner == group)) for group in np.unique(owner)]
    assert Stream.load("a", {**content, "columns": [first, last]}).read_groups == expected
    assert Stream.load("a", content).read_groups == groups


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file": None}, "a: missing key 'file'"),
        ({"fps": None, "width": None}, "a: missing key 'fps', missing key 'width'"),
        ({"widht": 3}, "a: unknown key 'widht'"),
        ({"fps": "fast"}, r"a\.fps: "),
        ({"width": 0}, r"a\.width: "),
        ({"width": "wide"}, r"a\.width: "),
        ({"width": 11}, r"a\.groups: \[4, 1, 5\] must add up to the width 11, not to 10"),
        ({"groups": [10, 0]}, r"a\.groups: "),
        ({"groups": 10}, r"a\.groups: "),
        ({"columns": [3]}, r"data\.columns: expected \[from,to\] within 0 … 10"),
        ({"columns": [5, 5]}, r"data\.columns: "),
        ({"columns": [0, 11]}, r"data\.columns: "),
        ({"columns": "0:4"}, r"data\.columns: .* found '0:4'"),
        ({"columns": 4}, r"data\.columns: "),
        ({"offset": "late"}, r"a\.offset: "),
    ],
)
def test_a_wrong_key_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Stream.load("a", {**CONTENT, **change})


@given(st.sampled_from(["fps", "width", "groups", "columns", "offset"]), JUNK)
def test_no_value_leads_to_anything_but_a_stream_or_one_line(key: str, value: Any) -> None:
    with suppress(UserError):
        stream = Stream.load("a", {**CONTENT, key: value})
        assert 0 < sum(stream.read_groups) <= stream.width
        assert Stream.load("a", stream.to_dict()) == stream


def test_a_stream_that_is_no_mapping_is_named() -> None:
    with pytest.raises(UserError, match=r"data\.streams\.a: expected the keys file"):
        Stream.load("a", "feature.npy")  # type: ignore[arg-type]


def test_files_lie_in_the_official_tree() -> None:
    path = Stream.load("a", CONTENT).path("/root", Half("league/season/A - B", 2))
    assert path == Path("/root/league/season/A - B/2_feature.npy")


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_are_mapped_not_loaded(tmp_path: Path, dtype: type, order: Any) -> None:
    rows = np.arange(30, dtype=dtype).reshape(3, 10)
    np.save(tmp_path / "f.npy", np.asarray(rows, order=order))
    for columns in (None, [2, 6]):
        found = Stream.load("a", {**CONTENT, "columns": columns}).open(tmp_path / "f.npy")
        assert (len(found), found.dtype) == (3, dtype)
        part = found[1:3]
        np.testing.assert_array_equal(part, rows[1:, slice(*columns)] if columns else rows[1:])
        assert not part.flags.owndata
        assert not part.flags.writeable, "a feature file must never be written to"


@pytest.mark.parametrize("stored", ["f8", ">f8", ">f4", ">f2", "<f4", "f2"])
@pytest.mark.parametrize("axes", ["td", "t1d", "1td"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_other_types_and_axes_of_length_1_are_converted(tmp_path: Path, stored: str, axes: str, order: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(7, 10)).astype(stored)
    np.save(tmp_path / "f.npy", np.asarray({"td": rows, "t1d": rows[:, None], "1td": rows[None]}[axes], order=order))
    wanted = rows.astype("f2" if stored.endswith("2") else "f4")
    for columns in (None, [2, 6]):
        found = Stream.load("a", {**CONTENT, "columns": columns}).open(tmp_path / "f.npy")
        assert (len(found), found.dtype) == (7, wanted.dtype)
        out = np.empty((3, found.width), found.dtype)
        found.copy(2, out)
        np.testing.assert_array_equal(out, wanted[2:5, slice(*columns)] if columns else wanted[2:5])


def test_more_files_are_known_than_may_be_open_at_once(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.ones((3, 10), np.float16))
    stream = Stream.load("a", CONTENT)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    known = [stream.open(tmp_path / "f.npy") for _ in range(50)]
    assert sum(float(rows[0:1].sum()) for rows in known) == 500
    if before:
        assert len(os.listdir("/proc/self/fd")) < before + 10


def write_damaged(path: Path, damage: str) -> None:
    rows = np.zeros((20, 10), np.float32)
    if damage == "missing":
        return
    if damage == "folder":
        path.mkdir()
    elif damage == "no npy":
        path.write_text("version https://git-lfs.github.com/spec/v1\n")
    elif damage == "nothing":
        path.touch()
    elif damage == "truncated":
        np.save(path, rows)
        os.truncate(path, path.stat().st_size - 1)
    elif damage == "truncated header":
        np.save(path, rows)
        os.truncate(path, 40)
    elif damage == "npz":
        with path.open("wb") as file:
            np.savez(file, rows=rows)
    else:
        values: dict[str, Any] = {
            "pickled": np.array({"features": rows}, dtype=object),
            "whole numbers": rows.astype(int),
            "one row": rows[0],
            "three axes": np.stack([rows, rows], axis=1),
            "wider": np.zeros((20, 12), np.float32),
            "turned": rows.T,
            "no rows": rows[:0],
        }
        np.save(path, values[damage], allow_pickle=True)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("missing", "no such feature file"),
        ("folder", "not a readable .npy file"),
        ("no npy", "not a readable .npy file"),
        ("nothing", "not a readable .npy file"),
        ("truncated", "not a readable .npy file"),
        ("truncated header", "not a readable .npy file"),
        ("npz", "not a readable .npy file"),
        ("pickled", "holds pickled objects, which are never loaded"),
        ("whole numbers", r"in float16 or float32, found int64 of shape .*; save rows\.astype"),
        ("one row", r"found float32 of shape \(10,\)"),
        ("three axes", r"found float32 of shape \(20, 2, 10\)"),
        ("wider", r"is 12 wide, expected 10; set data\.width=12"),
        ("turned", r"is 20 wide, expected 10; its axes are in the wrong order: save rows\.T"),
        ("no rows", "holds no rows"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, damage: str, said: str) -> None:
    path = tmp_path / "1_feature.npy"
    write_damaged(path, damage)
    with pytest.raises(UserError, match=said) as caught:
        Stream.load("a", CONTENT).open(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
