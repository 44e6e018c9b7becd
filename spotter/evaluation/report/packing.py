"""Spots of all halves as compact columns: what the page draws its timelines and counts its errors from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.evaluation.columns import EventColumns, Ints, count_thresholds
from spotter.evaluation.report.analysis import Analysis, Judged

MOST = 400_000  # predictions in a page
FLOOR = 0.01
NONE = 255


def choose_floor(confidence: NDArray[np.float64], threshold: float, most: int = MOST) -> float:
    """Return the confidence below which predictions are left out of a page, never above the default ``threshold``."""
    floor = min(FLOOR, threshold)
    if np.count_nonzero(confidence >= floor) > most:
        floor = float(np.partition(confidence, len(confidence) - most)[len(confidence) - most])
    return min(floor, threshold)


def pack_spots(rows: EventColumns, halves: int, floor: float, judged: Sequence[Judged] = ()) -> dict[str, NDArray]:
    """Return the predictions of at least ``floor``, by half and time, with their cause at every judged tolerance.

    spot_start : (halves + 1,), where the rows of each half begin
    spot_time : milliseconds; spot_label : class; spot_confidence : 0 … 65535 for 0 … 1; spot_team : 0 for none
    spot_reached : how many of the 200 thresholds of the metric it reaches; spot_cause_<δ> : index into ``CAUSES``
    """
    order = _by_time(rows, np.flatnonzero(rows.value >= floor))
    shown = rows.take(order)
    columns = _common("spot", shown, halves)
    columns["spot_confidence"] = np.rint(np.clip(shown.value, 0, 1) * 65535).astype(np.uint16)
    columns["spot_reached"] = count_thresholds(shown.value).astype(np.uint8)
    for each in judged:
        columns[f"spot_cause_{each.tolerance}"] = each.errors.cause[order].astype(np.uint8)
    return columns


def pack_labels(analysis: Analysis) -> dict[str, NDArray]:
    """Return the events by half and time, with what decides their outcome at every judged tolerance.

    label_found_<δ>, label_displaced_<δ>, label_wrong_<δ> : thresholds that the deciding prediction reaches, 0 for none
    label_taken_<δ> : class of the deciding prediction of a wrong class, 255 for none
    label_offset_<δ>, label_around_<δ> : how much later, in 1/100 s, the prediction around it is, and its thresholds
    """
    events, detections = analysis.errors.events, analysis.errors.detections
    order = _by_time(events, np.arange(len(events)))
    columns = _common("label", events.take(order), len(analysis.errors.halves))
    columns["label_visible"] = events.value[order].astype(np.uint8)
    thresholds = np.append(count_thresholds(detections.value), 0).astype(np.uint8)
    label = np.append(detections.label, NONE).astype(_small(analysis))
    time = np.append(detections.time, np.nan)
    for each in analysis.judged:
        found = each.errors
        deciding = {"found": found.match, "displaced": found.displaced, "wrong": found.wrong, "around": found.around}
        for name, rows in deciding.items():
            columns[f"label_{name}_{each.tolerance}"] = thresholds[rows[order]]
        columns[f"label_taken_{each.tolerance}"] = label[found.wrong[order]]
        offset = np.nan_to_num(100 * (time[found.around] - events.time))[order]
        columns[f"label_offset_{each.tolerance}"] = np.rint(np.clip(offset, -32767, 32767)).astype(np.int16)
    return columns


def pack_curves(judged: Sequence[Judged]) -> dict[str, NDArray]:
    """Return precision and recall of each class, then of all, ((C + 1) * 200,), 0 … 65535 for 0 … 1."""
    return {
        f"{name}_{each.tolerance}": np.rint(65535 * curve).astype(np.uint16).ravel()
        for each in judged
        for name, curve in (("precision", each.precision), ("recall", each.recall))
    }


def pack(columns: Mapping[str, NDArray]) -> tuple[bytes, dict[str, Any]]:
    """Return all columns one after the other, little-endian, each aligned to 4 bytes, and where each lies."""
    content, layout = bytearray(), {}
    for name, values in columns.items():
        values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        layout[name] = {"type": values.dtype.name, "start": len(content), "length": values.size}
        content += values.tobytes() + bytes(-values.nbytes % 4)
    return bytes(content), layout


def _common(prefix: str, rows: EventColumns, halves: int) -> dict[str, NDArray]:
    start = np.searchsorted(rows.half, np.arange(halves + 1)).astype(np.int32)
    label = rows.label.astype(np.uint8 if rows.label.max(initial=0) < NONE else np.uint16)
    time = np.rint(1000 * rows.time).astype(np.int32)
    team = (1 + rows.team).astype(np.uint8)
    return {f"{prefix}_start": start, f"{prefix}_time": time, f"{prefix}_label": label, f"{prefix}_team": team}


def _by_time(rows: EventColumns, indices: Ints) -> Ints:
    return indices[np.lexsort((rows.label[indices], rows.time[indices], rows.half[indices]))]


def _small(analysis: Analysis) -> type[np.unsignedinteger]:
    return np.uint8 if len(analysis.errors.task.classes) < NONE else np.uint16
