"""Weights as safetensors: a checkpoint without a pickle and without what training goes on with; settings as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from spotter.bounded import parse_json
from spotter.errors import UserError
from spotter.io.files import atomic_file
from spotter.io.upgrade import FORMAT

SUFFIX = ".safetensors"
KEY = "spotter"  # of the file's own metadata, whose value is JSON: the format and the settings
TENSOR = "tensor in this file"  # stands in JSON for a tensor among the settings, such as principal components
SETTINGS = "hyper_parameters"
LONGEST_HEADER = 100_000_000  # bytes, which the format allows


def is_weights(path: str | Path) -> bool:
    """Return whether a file is one of safetensors, by its name or by how it begins: the length of JSON, then JSON."""
    if Path(path).suffix == SUFFIX:
        return True
    begin = b""
    with suppress(OSError), Path(path).open("rb") as file:
        begin = file.read(9)
    return begin[8:] == b"{" and int.from_bytes(begin[:8], "little") <= LONGEST_HEADER


def write_weights(path: str | Path, settings: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Write the settings and weights of an opened checkpoint; the same give the same bytes.

    Raises UserError for settings that are not plain values.
    """
    from safetensors.torch import save  # here, so that networks and training do without

    tensors = dict(state)
    plain = _without_tensors(settings, SETTINGS, tensors)
    try:
        text = json.dumps({"spotter_format": FORMAT, SETTINGS: plain})
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: its settings are not plain values ({error})") from error
    with atomic_file(path, sync=True) as file:
        file.write(save({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, {KEY: text}))


def read_weights(path: str | Path) -> dict[str, Any]:
    """Return what ``write_weights`` was given; its settings are not checked.

    Raises UserError for a damaged file, and for safetensors of another codebase.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            text = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
    except (SafetensorError, OSError, ValueError, RuntimeError, MemoryError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise UserError(f"{path}: damaged, or no safetensors ({reason})") from error
    if text is None:
        raise UserError(f"{path}: weights without settings; spotter reads those that spotter export-weights writes")
    content = parse_json(text.encode(), f"{path}: the settings", "export the weights again")
    if not isinstance(content, dict):
        raise UserError(f"{path}: damaged, its settings are no object")
    settings = _with_tensors(content.get(SETTINGS), tensors)
    state = {name: tensor for name, tensor in tensors.items() if not name.startswith(f"{SETTINGS}.")}
    return {"spotter_format": content.get("spotter_format"), SETTINGS: settings, "state_dict": state}


def _without_tensors(value: object, name: str, tensors: dict[str, Tensor]) -> object:
    """Return plain values with each tensor moved to ``tensors``, under the name of its place."""
    if isinstance(value, Tensor):
        tensors[name] = value
        return {TENSOR: name}
    if isinstance(value, Mapping):
        return {key: _without_tensors(each, f"{name}.{key}", tensors) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(each, f"{name}.{i}", tensors) for i, each in enumerate(value)]
    return value


def _with_tensors(value: object, tensors: Mapping[str, Tensor]) -> object:
    """Put tensors back among plain values; one that the file lacks is None."""
    if isinstance(value, dict):
        if value.keys() == {TENSOR}:
            return tensors.get(str(value[TENSOR]))
        return {key: _with_tensors(each, tensors) for key, each in value.items()}
    return [_with_tensors(each, tensors) for each in value] if isinstance(value, list) else value
