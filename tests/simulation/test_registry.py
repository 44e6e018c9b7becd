"""Every kind of demo is made by one call, and both kinds leave the same files as they did in version 0.1."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from spotter.errors import UserError
from spotter.simulation.registry import simulate_kind

TINY: dict[str, dict[str, Any]] = {
    "features": {"kind": "features", "games": [2, 0, 1], "minutes": 2, "width": 32},
    "video": {"kind": "video", "games": [1, 0, 1], "minutes": 0.2, "fps": "5", "height": 32},
}
DIGESTS = {"features": "d4177c47c9fc1d7e", "video": "68e7ab22f0ebbafb"}  # of version 0.1


def digest_of(root: Path) -> str:
    """Return a digest of the names of all files, and of the content of those that hold text."""
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes() if path.suffix == ".json" else b"")
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("kind", list(TINY))
def test_records_labels_and_splits_are_those_of_version_0_1(tmp_path: Path, kind: str) -> None:
    assert digest_of(simulate_kind(tmp_path, TINY[kind])) == DIGESTS[kind]


@pytest.mark.slow
def test_a_tree_is_made_around_the_labels_of_another(tmp_path: Path) -> None:
    drawn = simulate_kind(tmp_path / "drawn", TINY["video"])
    again = simulate_kind(tmp_path / "again", {**TINY["video"], "labels": str(drawn)})
    labels = [{path.name: path.read_bytes() for path in root.rglob("Labels*.json")} for root in (drawn, again)]
    assert labels[0] == labels[1]
    assert orjson.loads((again / "demo.json").read_bytes())["labels"] == "drawn"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "radio"}, r"data\.demo\.kind: 'radio' is unknown: give one of features, video"),
        ({"kind": None}, r"data\.demo\.kind: None is unknown"),
        ({"height": 112}, r"data\.demo\.height: unknown; a demo of features has file, fps, games, labels"),
        ({"fps": "fast"}, r"data\.demo\.fps: expected a positive number"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        simulate_kind(tmp_path, {**TINY["features"], **change})
    assert list(tmp_path.iterdir()) == []
