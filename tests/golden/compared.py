"""Where what a run left differs from what is expected of it, on the machine that recorded it and on others."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PRECISION = re.compile("map|_ap/|per_class")  # in the name of a number
LIMITS = ("ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")


def machine() -> dict[str, str]:
    """Return what numbers depend on to the last bit."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        told = []
    flags = sorted(next((line.partition(":")[2].split() for line in told if line.startswith("flags")), []))
    return {
        "torch": importlib.metadata.version("torch"),
        "cpu flags": hashlib.sha256(" ".join(flags).encode()).hexdigest()[:16],
        "limits": " ".join(f"{key}={os.environ[key]}" for key in sorted(os.environ) if key in LIMITS),
    }


def compare(expected: Mapping[str, Any], found: Mapping[str, Any], same: bool) -> list[str]:
    """Return where a case differs from what is expected.

    Hashes and the sixth digit count only on the CPU and with the torch they were recorded with (``same``): elsewhere
    sums run in another order, and two epochs of training carry that into the fourth digit of a loss; and the average
    precision of a single game goes by steps, where two predictions change places. There, the most confident
    predictions must be found again, numbers agree to a thousandth, and precisions to 0.1.
    """
    theirs, ours = ({**case, "files": dict.fromkeys(case.get("files", ()), "there")} for case in (expected, found))
    told = []
    if "predictions" in theirs:
        wanted, got = theirs.pop("predictions"), ours.pop("predictions")
        if same and wanted["sha256"] != got["sha256"]:
            told = differences(wanted, got, 1e-4, "predictions") or ["predictions: another hash"]
        elif not same:
            told = again(wanted, got)
    return told + differences(theirs, ours, 1e-6, exact=same)


def again(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> list[str]:
    """Return which of the most confident predictions are not found again."""
    least = 0.9 * len(wanted["top"])
    known = {tuple(entry[:3]): entry[3] for entry in got["top"]}
    met = sum(abs(known.get(tuple(entry[:3]), -1.0) - entry[3]) <= 1e-2 * entry[3] for entry in wanted["top"])
    return [] if met >= least else [f"predictions: only {met} of {len(wanted['top'])} are found again"]


def differences(expected: Any, found: Any, relative: float, where: str = "", exact: bool = True) -> list[str]:
    """Return where two nested values differ; text that is a number counts as one.

    exact : False lets numbers differ as they do on another CPU, see ``compare``
    """
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        keys = [*expected, *(key for key in found if key not in expected)]
        pairs = [(f"{where}/{key}", expected.get(key, "(none)"), found.get(key, "(none)")) for key in keys]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = [(f"{where}[{i}]", one, other) for i, (one, other) in enumerate(zip(expected, found, strict=True))]
    else:
        one, other = number(expected), number(found)
        if one is None or other is None:
            return [] if expected == found else [f"{where}: expected {brief(expected)}, found {brief(found)}"]
        floor = 0.0 if exact else 0.1 if PRECISION.search(where) else 1e-3
        relative = relative if exact else 1e-3
        close = math.isclose(one, other, rel_tol=relative, abs_tol=floor) or (math.isnan(one) and math.isnan(other))
        return [] if close else [f"{where}: expected {expected}, found {found}"]
    return [told for name, one, other in pairs for told in differences(one, other, relative, name, exact)]


def brief(value: Any) -> str:
    """Return a value as text of bearable length."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def number(value: Any) -> float | None:
    """Return a number, or text that is one, as a float."""
    try:
        return float(value) if isinstance(value, (str, int, float)) else None
    except ValueError:
        return None
