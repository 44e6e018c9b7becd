"""One kind of feature file: its path for each half, the times of its rows, and the columns that are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from spotter.checks import is_integer, is_number
from spotter.data.fps import parse_fps
from spotter.data.pca import Pca
from spotter.data.rows import FeatureRows, two_axes
from spotter.data.sidecars import read_sidecar
from spotter.errors import UserError, shorten
from spotter.io.game_files import check_file_name, game_file
from spotter.types import Half

POSITION = 3  # columns of an entity before its vectors, see ``spotter.data.tracking``
KEYS = ("file", "fps", "width", "groups", "columns", "offset", "entities", "pca")
OTHER_WIDTH = "set data.width={width}, or pick the data config these features belong to"


@dataclass(frozen=True, slots=True)
class Stream:
    """Describe the files ``<half>_<file>.npy``, each (rows, width), float16 or float32; float64 is read as float32.

    fps : rows per second
    groups : widths of the extractors whose features stand side by side; they add up to ``width``
    columns : the half-open range of columns that is read, None for all
    offset : seconds from the start of the half to row 0
    entities : of positions, how many entities each group has, see ``spotter.data.tracking``; None for other features
    text_model : (N,) uint8, the file of the ``TextModel`` that makes these features from a transcript; None where the
        stream is not of commentary, or its text model is not known
    extractor : what made the features of videos, see ``spotter.extraction``, and the ``dtype`` of their files; None
        where it is not known
    pca : (N,) uint8, the file of the principal components that reduced them; None where none did
    reduced : columns that are left of rows which ``pca`` reduces as they are read, since the files hold all; None where
        the files are reduced already, or nothing reduces them
    """

    name: str
    file: str
    fps: float
    width: int
    groups: tuple[int, ...]
    columns: tuple[int, int] | None
    offset: float
    entities: Mapping[str, int] | None = None
    text_model: Tensor | None = field(default=None, repr=False, compare=False)
    extractor: Mapping[str, Any] | None = field(default=None, compare=False)
    pca: Tensor | None = field(default=None, repr=False, compare=False)
    reduced: int | None = None

    @classmethod
    def load(cls, name: str, content: Mapping[str, Any]) -> Stream:
        """Check a stream's description; raises UserError naming the key."""
        key = f"data.streams.{name}"
        if not isinstance(content, Mapping):
            raise UserError(f"{key}: expected the keys {', '.join(KEYS)}, found {shorten(content)}")
        unknown = set(content) - {each.name for each in fields(cls)}
        missing = {"file", "fps", "width"} - {k for k, value in content.items() if value is not None}
        if unknown or missing:
            words = [f"unknown key {shorten(k)}" for k in sorted(map(str, unknown))]
            words += [f"missing key {shorten(k)}" for k in sorted(missing)]
            raise UserError(f"{key}: {', '.join(words)}; a stream has {', '.join(KEYS)}")
        width = content["width"]
        if not is_integer(width) or width < 1:
            raise UserError(f"{key}.width: expected the number of columns in the files, found {shorten(width)}")
        groups = (width,) if content.get("groups") is None else _wholes(content["groups"])
        if not groups or min(groups) < 1:
            raise UserError(f"{key}.groups: expected a list of widths, found {shorten(content['groups'])}")
        if sum(groups) != width:
            raise UserError(
                f"{key}.groups: {list(groups)} must add up to the width {width}, not to {sum(groups)}; "
                f"data.source.streams.{name}.groups=null makes it one group"
            )
        columns = None
        if content.get("columns") is not None:
            first_last = _wholes(content["columns"])
            if len(first_last) != 2 or not 0 <= first_last[0] < first_last[1] <= width:
                raise UserError(
                    f"data.columns: expected [from,to] within 0 … {width}, found {shorten(content['columns'])}"
                )
            columns = (first_last[0], first_last[1])
        fps = float(parse_fps(content["fps"], f"{key}.fps"))
        offset = content.get("offset") or 0.0
        if not is_number(offset):
            raise UserError(f"{key}.offset: expected seconds, found {shorten(offset)}")
        entities = None
        if content.get("entities") is not None:
            entities = _entities(content["entities"], width, key)
            if columns is not None or len(groups) > 1:
                raise UserError(f"{key}: positions are read as a whole; leave columns and groups out")
        reduced = content.get("reduced")
        if reduced is not None and (not is_integer(reduced) or reduced < 1 or content.get("pca") is None):
            raise UserError(f"{key}.reduced: is the number of components in {key}.pca, found {shorten(reduced)}")
        if reduced is not None and (columns is not None or len(groups) > 1 or entities is not None):
            raise UserError(f"{key}.pca: reduces all columns as one; set {key}.groups=null, columns and entities, too")
        for each, kind in (("text_model", Tensor), ("pca", Tensor), ("extractor", Mapping)):
            if not isinstance(content.get(each), kind | None):
                raise UserError(f"{key}.{each}: is taken from the root of the data, not from a config; leave it out")
        text_model, extractor, pca = (content.get(each) for each in ("text_model", "extractor", "pca"))
        file = check_file_name(content["file"], f"{key}.file")
        made_by = (text_model, extractor, pca, reduced)
        return cls(name, file, fps, width, groups, columns, float(offset), entities, *made_by)

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain values, as checkpoints hold it, and the text model if there is one."""
        content = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "name"}
        content |= {"groups": list(self.groups), "columns": list(self.columns) if self.columns else None}
        for optional in ("entities", "text_model", "extractor", "pca", "reduced"):
            if content[optional] is None:
                del content[optional]
        return content

    @property
    def read_groups(self) -> list[int]:
        """Return the widths of the groups that remain within ``columns``, or once they are reduced."""
        if self.reduced is not None:
            return [self.reduced]
        if self.columns is None:
            return list(self.groups)
        ends = np.cumsum(self.groups)
        first, last = self.columns
        widths = np.minimum(ends, last) - np.maximum(ends - self.groups, first)
        return [int(width) for width in widths if width > 0]

    def components(self) -> Pca | None:
        """Return what reduces rows as they are read, if anything does; raises UserError where it does not fit."""
        if self.reduced is None or self.pca is None:
            return None
        pca = Pca.parse(self.pca.numpy().tobytes(), f"data.source.streams.{self.name}.pca")
        if (len(pca.mean), pca.width) != (self.width, self.reduced):
            raise UserError(
                f"data.source.streams.{self.name}.pca: makes {pca.width} of {len(pca.mean)} columns, and the features "
                f"have {self.width}; give the file that was learned on them"
            )
        return pca

    def path(self, root: str | Path, half: Half) -> Path:
        """Return the path of a half's file in an official tree."""
        return game_file(root, half.game, f"{half.number}_{self.file}.npy")

    def open(self, path: Path, remedy: str = OTHER_WIDTH) -> FeatureRows:
        """Check a feature file and return the columns that are read of it; its rows are not read yet.

        remedy : what to do about a file of another width, which may hold ``{width}``
        Raises UserError for a file that is missing, damaged, of another width, of another type, or of another clock by
        the JSON file beside it.
        """
        try:
            rows = np.lib.format.open_memmap(path, mode="r")
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such feature file") from error
        except (ValueError, EOFError, OSError) as error:
            if "Python objects" in str(error):
                raise UserError(
                    f"{path}: holds pickled objects, which are never loaded; save the (rows, width) array itself"
                ) from error
            raise UserError(f"{path}: not a readable .npy file ({error})") from error
        shape = two_axes(rows.shape)
        if len(shape) != 2 or rows.dtype.kind != "f" or rows.dtype.itemsize > 8:
            raise UserError(
                f"{path}: expected (rows, width) in float16 or float32, found {rows.dtype} of shape {rows.shape}; "
                'save rows.astype("float32") in that shape'
            )
        if shape[1] != self.width:
            turned = shape[0] == self.width
            advice = "its axes are in the wrong order: save rows.T" if turned else remedy.format(width=shape[1])
            raise UserError(f"{path}: is {shape[1]} wide, expected {self.width}; {advice}")
        if shape[0] == 0:
            raise UserError(f"{path}: holds no rows")
        self._check_clock(path)
        order: Literal["C", "F"] = "C" if rows.flags.c_contiguous else "F"
        return FeatureRows(path, rows.dtype, shape, rows.offset, order, slice(*(self.columns or (0, self.width))))

    def _check_clock(self, path: Path) -> None:
        """Compare rate and offset with what the JSON file beside the features says, where there is one."""
        about, beside = read_sidecar(path), path.with_suffix(".json")
        for key, mine in (("fps", self.fps), ("offset", self.offset)):
            value = about.get(key, mine)
            stated = float(parse_fps(value, f"{beside}: fps")) if key == "fps" else value
            if not isinstance(stated, int | float) or not math.isclose(stated, mine, rel_tol=1e-6, abs_tol=1e-6):
                raise UserError(
                    f"{path}: has {key} {value} by {beside.name}, and is read with {mine:g}; "
                    f"set data.{key}={value}, or data.source.streams.{self.name}.{key} of a further stream"
                )


def _entities(value: object, width: int, key: str) -> dict[str, int]:
    """Check the groups of entities of a stream of positions."""
    counts = dict(value) if isinstance(value, Mapping) else {}
    if not counts or not all(is_integer(count) and count > 0 for count in counts.values()):
        raise UserError(
            f"{key}.entities: expected how many each group has, as {{ball: 1, home: 11}}, found {shorten(value)}"
        )
    columns, rest = divmod(width, sum(counts.values()))
    if rest or columns < POSITION or (columns - POSITION) % 2:
        raise UserError(
            f"{key}.width: {width} columns do not hold {sum(counts.values())} entities of x, y, present and vectors; "
            f"take the width that the .json file beside the features states"
        )
    return {str(name): count for name, count in counts.items()}


def _wholes(value: Any) -> tuple[int, ...]:
    """Return a list of whole numbers as a tuple, an empty one for anything else."""
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    return tuple(value) if listed and all(is_integer(each) for each in value) else ()
