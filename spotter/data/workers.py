"""How many threads read features, or processes decode video: by the usable cores, and the ranks that share them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

CONTROL_GROUPS, OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
MOST = {"features": 4, "video": 8}  # of a rank on a GPU; more wait for the disk, and each holds batches in memory
MOST_ON_CPU = 2  # of a rank whose network computes on the same cores


def choose_workers(kind: Literal["features", "video"], device: str, ranks: int) -> int:
    """Return how many threads or processes read data for each rank, 0 where the rank reads what it wants itself.

    kind : of the input
    device : ``cpu``, or any other that the network computes on
    ranks : on this machine, which share its cores; each keeps one for itself
    """
    spare = int(usable_cores() / ranks) - 1
    return max(0, min(spare, MOST_ON_CPU if device == "cpu" else MOST[kind]))


def usable_cores() -> int:
    """Return the cores that this process may use, by its affinity and the limits of its control groups."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, int(min([cores, *_group_limits()])))


def _group_limits() -> list[float]:
    """Return the cores that the control group of this process, and those around it, may use at once."""
    try:
        lines = OWN_GROUP.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return []
    limits = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = CONTROL_GROUPS / "cpu" if controllers else CONTROL_GROUPS  # version 1 or 2
        group = base / path.lstrip("/")
        limits += [limit for each in (group, *group.parents) if each.is_relative_to(base) and (limit := _limit(each))]
    return limits


def _limit(group: Path) -> float | None:
    """Return the cores of one control group, None where it has no limit."""
    for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        try:
            quota, period = " ".join((group / name).read_text(encoding="utf-8") for name in names).split()
            return int(quota) / int(period) if int(quota) > 0 else None
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return None
