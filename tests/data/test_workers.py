"""Workers by machine: affinity, control groups of both versions, and ranks that share the cores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest

from spotter.data import workers
from spotter.data.workers import choose_workers, usable_cores

OLD = "cpu/a/cpu"


def machine(monkeypatch: pytest.MonkeyPatch, folder: Path, cores: int, own: str, files: dict[str, str]) -> None:
    """Pretend a machine of so many cores, with these control groups."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    monkeypatch.setattr(workers, "CONTROL_GROUPS", folder)
    monkeypatch.setattr(workers, "OWN_GROUP", folder / "own")
    (folder / "own").write_text(own, encoding="utf-8")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {}, 16),
        ("0::/\n", {"cpu.max": "400000 100000\n"}, 4),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/job/step\n", {"job/cpu.max": "250000 100000\n", "job/step/cpu.max": "max 100000\n"}, 2),
        ("0::/job\n", {"job/cpu.max": "50000 100000\n"}, 1),
        ("4:cpu,cpuacct:/a\n3:cpuset:/b\n", {f"{OLD}.cfs_quota_us": "300000\n", f"{OLD}.cfs_period_us": "100000\n"}, 3),
        ("4:cpu,cpuacct:/a\n", {f"{OLD}.cfs_quota_us": "-1\n", f"{OLD}.cfs_period_us": "100000\n"}, 16),
        ("0::/..\n", {"cpu.max": "damaged\n"}, 16),
    ],
)  # fmt: skip
def test_usable_cores(
    own: str, files: dict[str, str], expected: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, tmp_path, 16, own, files)
    assert usable_cores() == expected


def test_without_control_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workers, "OWN_GROUP", tmp_path / "missing")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 3, 5}, raising=False)
    assert usable_cores() == 3


@pytest.mark.parametrize(
    ("cores", "kind", "device", "ranks", "expected"),
    [
        (64, "video", "cuda", 1, 8),
        (64, "video", "cuda", 8, 7),
        (64, "features", "cuda", 8, 4),
        (6, "video", "cuda", 1, 5),
        (2, "features", "cuda", 1, 1),
        (2, "video", "cpu", 1, 1),
        (2, "video", "cpu", 2, 0),
        (1, "video", "cuda", 1, 0),
        (2, "video", "cuda", 8, 0),
        (64, "video", "cpu", 1, 2),
    ],
)
def test_workers_of_a_rank(
    cores: int,
    kind: Literal["features", "video"],
    device: str,
    ranks: int,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    machine(monkeypatch, tmp_path, cores, "0::/\n", {})
    assert choose_workers(kind, device, ranks) == expected
