"""OSL as OpenSportsLab shards it: samples in a Parquet table, what they were labelled on in tar files (WebDataset)."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from spotter.bounded import MOST_JSON, parse_json
from spotter.errors import UserError, shorten
from spotter.io.archives import check_space
from spotter.io.exchange.collection import SPLIT_NAMES, Row, without
from spotter.io.files import atomic_file, json_bytes
from spotter.io.game_files import ROOT, check_file_name, fault_of, game_file_to_write

TABLE, MANIFEST, FOLDER = "metadata.parquet", "shard_manifest.parquet", "shards"
PATTERN = "shard-%06d.tar"
SHARD_SIZE = 1_000_000_000  # bytes from which on the next sample begins another
FILES = {"path": "", "ball_path": ".ball"}  # keys of an input that name a file, and what marks its member
MEMBER = re.compile(r"(?P<sample>\d{9})\.(?P<input>\d{1,6})(?P<ball>\.ball)?\.\w+")
NEEDED = ("sample_payload", "header")
COLUMNS = {
    **dict.fromkeys(("sample_id",), str),
    "num_inputs": int,
    **dict.fromkeys(("sample_payload", "suggested_shard_pattern", "shard_name"), str),
    "sample_index": int,
    "header": str,
}
LISTED = {
    **dict.fromkeys(("sample_id", "shard_name"), str),
    "input_index": int,
    **dict.fromkeys(("file_role", "input_type", "relative_path", "resolved_path", "status", "wds_member"), str),
}


def find_tables(path: Path) -> list[tuple[Path, str | None]]:
    """Return the tables that a path is, or holds, each with its split: in the folder, or in one for each split."""
    if path.name == TABLE and path.is_file():
        return [(path, SPLIT_NAMES.get(path.parent.name))]
    if (path / TABLE).is_file():
        return [(path / TABLE, SPLIT_NAMES.get(path.name))]
    return [(path / name / TABLE, split) for name, split in SPLIT_NAMES.items() if (path / name / TABLE).is_file()]


def read_shards(table: Path) -> Row:
    """Return the document of OSL JSON that a table holds; its tar files are not needed.

    Raises UserError for a damaged table, and for one of another kind.
    """
    columns = _columns(table)
    headers = {str(text) for text in columns["header"]} or {"{}"}
    if len(headers) > 1:
        raise UserError(f"{table}: its samples are of {len(headers)} files of OSL JSON: expected those of one")
    samples = [_object(text, f"{table}: sample {n}") for n, text in enumerate(columns["sample_payload"], start=1)]
    return {**_object(headers.pop(), f"{table}: the header"), "data": samples}


def write_shards(folder: Path, document: Row, source: Path, size: int = SHARD_SIZE) -> int:
    """Write the table, the tar files with the files of all inputs, and their list; return how many files lack.

    source : the folder that paths of inputs are relative to
    size : bytes from which on the next sample begins another tar file

    Raises UserError for a path that leads out of ``source``.
    """
    _arrow()  # before anything is written
    header = _compact(without(document, "data"))
    rows: list[Row] = []
    manifest: list[Row] = []
    todo = [(number, sample, _files(sample, source)) for number, sample in enumerate(document["data"])]
    for shard, numbered in groupby(_numbered(todo, size), key=lambda each: each[0]):
        name = PATTERN % shard
        with atomic_file(folder / FOLDER / name) as file, tarfile.open(fileobj=file, mode="w") as tar:
            for _, (number, sample, files) in numbered:
                sample_id = str(sample.get("id", f"sample_{number:06d}"))
                _add(tar, f"{number:09d}.json", json_bytes(sample))
                for each in files:
                    member = _pack(tar, number, each)
                    manifest.append({"sample_id": sample_id, "shard_name": name, **each.row(member)})
                rows.append({
                    "sample_id": sample_id,
                    "num_inputs": len(_inputs(sample)),
                    "sample_payload": _compact(sample),
                    "suggested_shard_pattern": PATTERN,
                    "shard_name": name,
                    "sample_index": number,
                    "header": header,
                })  # fmt: skip
    _write_table(folder / TABLE, rows, COLUMNS)
    _write_table(folder / MANIFEST, manifest, LISTED)
    return sum(row["status"] == "missing" for row in manifest)


def unpack_inputs(table: Path, root: Path) -> tuple[int, int]:
    """Bring the files of all inputs out of the tar files to where their paths say, below ``root``.

    Returns how many were written, and how many lay there already. Raises UserError for a damaged or missing tar file,
    and for a path that leads out of ``root``.
    """
    columns = _columns(table, "shard_name", "sample_index")
    samples = {
        int(number): _object(text, f"{table}: sample {number}")
        for number, text in zip(columns["sample_index"], columns["sample_payload"], strict=True)
    }
    written = kept = 0
    for name in sorted({check_file_name(name, f"{table}: shard_name") for name in columns["shard_name"]}):
        path = table.parent / FOLDER / name
        try:
            with tarfile.open(path, "r:") as tar:
                todo = [(member, place) for member in tar if (place := _place(member, samples, root)) is not None]
                missing = [each for each in todo if not (each[1].is_file() and each[1].stat().st_size == each[0].size)]
                check_space(root, sum(member.size for member, _ in missing), f"what {name} holds")
                for member, place in missing:
                    content = tar.extractfile(member)
                    with atomic_file(place) as file:
                        shutil.copyfileobj(content or io.BytesIO(), file, 1 << 20)
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such tar file: download it, or convert without --inputs") from error
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise UserError(f"{path}: a damaged tar file ({error}): download it again") from error
        written, kept = written + len(missing), kept + len(todo) - len(missing)
    return written, kept


@dataclass(frozen=True)
class _File:
    """Name a file of an input: which input, by which key, and where it lies, None if it does not."""

    index: int
    key: str
    kind: str
    path: str
    place: Path | None

    def row(self, member: str | None) -> Row:
        """Return what the list of files says of it."""
        return {
            "input_index": self.index,
            "file_role": "ball" if FILES[self.key] else "primary",
            "input_type": self.kind,
            "relative_path": self.path,
            "resolved_path": None if self.place is None else self.path,
            "status": "missing" if self.place is None else "ok",
            "wds_member": member,
        }


def _inputs(sample: Row) -> list[Row]:
    """Return the inputs that name a file, which are those that are counted."""
    listed = sample.get("inputs")
    return [each for each in listed if isinstance(each, dict) and each.get("path")] if isinstance(listed, list) else []


def _files(sample: Row, source: Path) -> list[_File]:
    found = []
    for index, each in enumerate(_inputs(sample)):
        for key in FILES:
            if not each.get(key):
                continue
            place = Path(source, _checked(each[key], f"{source}: an input"))
            there = place if place.is_file() else None
            found.append(_File(index, key, str(each.get("type", "")), str(each[key]), there))
    return found


def _numbered(
    samples: Sequence[tuple[int, Row, list[_File]]], size: int
) -> Iterator[tuple[int, tuple[int, Row, list[_File]]]]:
    """Yield samples with the number of the tar file that each goes to."""
    shard = held = 0
    for each in samples:
        bytes_of = sum(file.place.stat().st_size for file in each[2] if file.place) + len(json_bytes(each[1]))
        if held and held + bytes_of > size:
            shard, held = shard + 1, 0
        held += bytes_of
        yield shard, each


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _pack(tar: tarfile.TarFile, number: int, file: _File) -> str | None:
    if file.place is None:
        return None
    suffix = file.place.suffix.lstrip(".").lower() or "bin"
    info = tarfile.TarInfo(f"{number:09d}.{file.index}{FILES[file.key]}.{suffix}")
    info.size = file.place.stat().st_size
    with file.place.open("rb") as content:
        tar.addfile(info, content)
    return info.name


def _place(member: tarfile.TarInfo, samples: dict[int, Row], root: Path) -> Path | None:
    """Return where a member goes, None for one that is no file of an input."""
    match = MEMBER.fullmatch(member.name)
    if match is None or not member.isreg() or int(match["sample"]) not in samples:
        return None
    inputs, index = _inputs(samples[int(match["sample"])]), int(match["input"])
    path = inputs[index].get("ball_path" if match["ball"] else "path") if index < len(inputs) else None
    if not path:
        return None
    folder, _, name = _checked(path, f"{root}: an input").rpartition("/")
    return game_file_to_write(root, folder or ROOT, name)


def _checked(path: object, where: str) -> str:
    fault = fault_of(path)
    if fault:
        raise UserError(f"{where} is called {shorten(path)}, {fault}: correct its path")
    return str(path)


def _compact(content: Row) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _object(text: object, where: str) -> Row:
    found = parse_json(str(text).encode(), where)
    if not isinstance(found, dict):
        raise UserError(f"{where}: expected an object, found {shorten(found)}")
    return found


def _columns(path: Path, *more: str) -> dict[str, list[Any]]:
    """Return columns of a table, of at most as many bytes as a file of JSON may have."""
    arrow, parquet = _arrow()
    try:
        with parquet.ParquetFile(path) as file:
            about = file.metadata
            size = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
            if size > MOST_JSON:
                raise UserError(f"{path}: holds {size:,} bytes, at most {MOST_JSON:,} are read")
            lacking = [name for name in (*NEEDED, *more) if name not in file.schema_arrow.names]
            if lacking:
                raise UserError(f"{path}: has no column {lacking[0]}: expected the table of shards of OSL")
            found: dict[str, list[Any]] = file.read(columns=[*NEEDED, *more]).to_pydict()
            return found
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: no readable Parquet file ({' '.join(str(error).split())[:200]})") from error


def _write_table(path: Path, rows: Sequence[Row], schema: Row) -> None:
    arrow, parquet = _arrow()
    types = {int: arrow.int64(), str: arrow.string()}
    table = arrow.Table.from_pylist(list(rows), arrow.schema([(name, types[kind]) for name, kind in schema.items()]))
    with atomic_file(path) as file:
        parquet.write_table(table, file, compression="zstd")


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError("shards of OSL need pyarrow: pip install pyarrow") from error
    return pyarrow, pyarrow.parquet
