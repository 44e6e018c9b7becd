"""Prepared stores and folders of JPEG images: any step, any part, and nothing half-written passes for whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.video.jpegs import JpegFolder, holds_images
from spotter.data.video.prepare import encode
from spotter.data.video.store import Store, StoreHeader, StoreWriter, store_name
from spotter.errors import UserError
from spotter.io.files import atomic_file
from tests.helpers.videos import burn, numbers_of

HEADER = StoreHeader("25", 64, 96, 90, "a.mkv", 123)


def write_store(path: Path, count: int = 40, header: StoreHeader = HEADER) -> Path:
    with atomic_file(path) as file:
        writer = StoreWriter(file)
        for number in range(count):
            writer.add(encode(burn(number, 64, 96), 90))
        writer.finish(header, replaced=3)
    return path


def write_folder(path: Path, count: int = 40, rate: str | None = "25") -> Path:
    path.mkdir(parents=True)
    for number in range(count):
        (path / f"{number:06d}.jpg").write_bytes(simplejpeg.encode_jpeg(burn(number), 95, colorsubsampling="420"))
    if rate is not None:
        (path / "fps.txt").write_text(rate)
    return path


def read(reader: Store | JpegFolder, numbers: list[int]) -> list[int]:
    out = np.zeros((len(numbers), 64, 96, 3), np.uint8)
    reader.read(np.array(numbers, np.int64), out)
    return numbers_of(out)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(write_store(tmp_path_factory.mktemp("store") / "1_64p_25fps.frames"))


@given(st.lists(st.integers(0, 39), max_size=12).map(sorted))
def test_any_images_come_back(store: Store, numbers: list[int]) -> None:
    assert read(store, numbers) == numbers


def test_header_comes_back(store: Store) -> None:
    assert (store.header.count, store.header.replaced, store.header.source) == (40, 3, "a.mkv")
    assert (store.times.fps, store.times.count, store.height, store.width) == (25, 40, 64, 96)
    assert store_name(1, 224, Fraction(25, 12)) == "1_224p_25-12fps.frames"


@pytest.mark.parametrize("kind", ["store", "folder"])
def test_a_part_is_cut_out(store: Store, tmp_path: Path, kind: str) -> None:
    reader = store if kind == "store" else JpegFolder(write_folder(tmp_path / "1", 10))
    whole, part = np.zeros((5, 64, 96, 3), np.uint8), np.zeros((5, 40, 32, 3), np.uint8)
    reader.read(np.arange(5), whole)
    reader.read(np.arange(5), part, (slice(10, 50), slice(64, 96)))
    np.testing.assert_array_equal(part, whole[:, 10:50, 64:96])


def test_a_store_that_was_cut_off_is_recognised_wherever_it_was(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.frames", count=3)
    whole = path.read_bytes()
    for length in [0, 1, 8, *range(9, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"a\.frames: is damaged or was not written to its end; make it again"):
            Store(path)
    path.write_bytes(whole[:50] + whole[51:])
    with pytest.raises(UserError, match="is damaged"):
        Store(path)


def test_writing_leaves_nothing_behind_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.frames"

    def interrupted() -> None:
        with atomic_file(path) as file:
            StoreWriter(file).add(b"half of it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(path.parent.iterdir()) == []


def test_damaged_images_and_tables_are_named(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.frames")
    content = bytearray(path.read_bytes())
    table = int.from_bytes(content[-24:-16], "little")
    begin = int.from_bytes(content[table + 8 * 7 : table + 8 * 8], "little")
    path.write_bytes(content[:begin] + bytes(300) + content[begin + 300 :])
    store = Store(path)
    assert read(store, [5, 6, 9]) == [5, 6, 9]
    with pytest.raises(UserError, match=r"a\.frames: image 7 is damaged"):
        read(store, [5, 6, 7, 8])
    content[table + 8 * 3] ^= 0xFF
    content[table + 8 * 3 + 6] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match="its table of images is damaged"):
        read(Store(path), [2, 3])


def test_a_store_that_changes_is_noticed(tmp_path: Path) -> None:
    store = Store(write_store(tmp_path / "a.frames"))
    write_store(tmp_path / "a.frames", count=20)
    with pytest.raises(UserError, match="has changed since it was opened"):
        read(store, [1])


def test_other_versions_and_missing_stores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such store"):
        Store(tmp_path / "gone.frames")
    with pytest.raises(UserError, match="is of version 9, this spotter reads 1"):
        Store(write_store(tmp_path / "a.frames", 2, StoreHeader("25", 64, 96, 90, "a", 1, version=9)))


def test_a_folder_of_images(tmp_path: Path) -> None:
    folder = JpegFolder(write_folder(tmp_path / "1", rate="2.0833333333333335\n"))
    assert (folder.times.fps, folder.times.count, folder.height, folder.width) == (Fraction(25, 12), 40, 64, 96)
    assert read(folder, [0, 7, 39]) == [0, 7, 39]


@pytest.mark.parametrize("name", ["frame{}.jpg", "frame_{}.JPG", "{:08d}.jpg", "img-{:03d}.jpeg", "{}.jpg"])
@pytest.mark.parametrize("begin", [0, 1])
def test_folders_of_other_codebases(tmp_path: Path, name: str, begin: int) -> None:
    """Images are in the order of their numbers, not of their names; the first is called 0 or 1."""
    folder = write_folder(tmp_path / "1", 12)
    for number in range(12):
        (folder / f"{number:06d}.jpg").rename(folder / f"x{number}")
    for number in range(12):
        (folder / f"x{number}").rename(folder / name.format(number + begin))
    (folder / "Thumbs.db").touch()
    assert holds_images(folder)
    images = JpegFolder(folder)
    assert (images.times.count, images.file(0).name) == (12, name.format(begin))
    assert read(images, [0, 2, 10, 11]) == [0, 2, 10, 11]
    (folder / "other5.jpg").touch()
    (folder / "cover.jpg").touch()
    assert JpegFolder(folder).times.count == 12
    (folder / name.format(7)).unlink()
    with pytest.raises(UserError, match=f"lacks {name.format(7)}"):
        JpegFolder(folder)


@pytest.mark.parametrize("names", [["img_1234.jpg", "img_1235.jpg"], ["1.jpg"], ["cover.jpg"], ["poster2.jpg"], []])
def test_pictures_do_not_make_a_folder_of_images(tmp_path: Path, names: list[str]) -> None:
    for name in [*names, "match.mp4", "Labels-ball.json"]:
        (tmp_path / name).touch()
    assert not holds_images(tmp_path)


@pytest.mark.parametrize(
    ("rate", "lost", "message"),
    [
        (None, None, r"fps\.txt: no such file; write the images per second into it"),
        ("fast", None, r"fps\.txt: expected a positive number"),
        ("25", "000003.jpg", r"lacks 000003\.jpg; expected 000000\.jpg and so on"),
        ("25", "00000[01].jpg", r"lacks 000001\.jpg; expected 000001\.jpg and so on"),
    ],
)
def test_incomplete_folders_are_refused(tmp_path: Path, rate: str | None, lost: str | None, message: str) -> None:
    folder = write_folder(tmp_path / "1", 5, rate)
    for file in folder.glob(lost) if lost else ():
        file.unlink()
    with pytest.raises(UserError, match=message):
        JpegFolder(folder)


def test_damaged_and_odd_images_of_a_folder_are_named(tmp_path: Path) -> None:
    folder = JpegFolder(write_folder(tmp_path / "1", 5))
    (folder.path / "000002.jpg").write_bytes(folder.jpeg(2)[:300])
    (folder.path / "000003.jpg").write_bytes(simplejpeg.encode_jpeg(burn(3, 32, 96)))
    for number in (2, 3):
        with pytest.raises(UserError, match=rf"00000{number}\.jpg: .*extract the half again"):
            read(folder, [number])
    (folder.path / "000000.jpg").write_text("no image")
    with pytest.raises(UserError, match=r"000000\.jpg: not a JPEG image"):
        JpegFolder(folder.path)
