"""The report as a file: what it holds, what it leaves out and says so, and what it never does."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from spotter.evaluation.average_map import average_map
from spotter.evaluation.error_causes import ERRORS, TRUE_POSITIVE
from spotter.evaluation.report import video_link, write_report
from spotter.evaluation.report.analysis import analyse
from spotter.evaluation.report.packing import MOST, choose_floor
from spotter.evaluation.report.published import find_official_split, published_scores
from spotter.evaluation.report.summary import describe_postprocess
from spotter.tasks import ASSETS, Task
from spotter.types import METRIC_THRESHOLDS, Half, HalfPredictions, Spots
from tests.helpers.reports import V2, matches

OWN = Half("<b>my & match</b>", 1)


def content(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the summary and the columns of a report."""
    page = path.read_text(encoding="utf-8")
    summary, packed = (
        re.search(rf'<script type="[^"]*" id="{name}">(.*?)</script>', page, re.DOTALL)[1]  # type: ignore[index]
        for name in ("summary", "columns")
    )
    summary, data = json.loads(summary), gzip.decompress(base64.b64decode(packed))
    layout = summary["columns"].items()
    return summary, {name: np.frombuffer(data, at["type"], at["length"], at["start"]) for name, at in layout}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, dict]:
    labels, predictions = matches(V2, 2)
    path = tmp_path_factory.mktemp("report") / "new folder" / "report.html"
    form = {**average_map(labels, predictions, V2), "postprocess": {"method": "nms", "window": 20.0}}
    write_report(path, predictions, V2, labels, metrics=form, title="a <title>")
    return path, labels, predictions


def test_one_file_without_any_address(written: tuple[Path, dict, dict]) -> None:
    path = written[0]
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]
    page = path.read_text(encoding="utf-8")
    ours = re.sub(r'<script type="text/plain" id="\w+">.*?</script>', "", page, flags=re.DOTALL)
    assert '<h1 id="title">a &lt;title&gt;</h1>' in ours
    assert re.findall(r"""(?:https?:)?//[\w.-]+\.\w+|@import|url\(""", ours) == []
    assert path.stat().st_size < 3_000_000


def test_scores_and_spots_are_in_it(written: tuple[Path, dict, dict]) -> None:
    path, labels, predictions = written
    summary, columns = content(path)
    assert summary["metrics"] == average_map(labels, predictions, V2)
    assert summary["postprocess"] == "hard NMS, window 20 s"
    assert summary["subtitle"] == "soccernet-v2 · 2 games"
    assert [half["number"] for half in summary["halves"]] == [1, 2, 1, 2]
    assert len(columns["label_time"]) == sum(map(len, labels.values()))
    shown = np.concatenate([rows.confidence for rows in predictions.values()]) >= summary["floor"]
    assert len(columns["spot_time"]) == summary["kept"] == shown.sum()
    assert summary["total"] == len(shown)
    first = predictions[sorted(predictions)[0]]
    start, stop = columns["spot_start"][:2]
    assert columns["spot_time"][start:stop].tolist() == sorted(
        np.rint(1000 * first.time[first.confidence >= summary["floor"]]).astype(int)
    )


def test_costs_are_the_metric_computed_anew(written: tuple[Path, dict, dict]) -> None:
    _, labels, predictions = written
    analysis = analyse(labels, predictions, V2)
    judged = analysis.default
    assert judged.tolerance == 5
    right = judged.errors.cause == TRUE_POSITIVE
    best = METRIC_THRESHOLDS[judged.threshold]
    rows = analysis.errors.detections
    only = {
        half: HalfPredictions(*(column[right & (rows.half == index)] for column in (rows.label, rows.time, rows.value)))
        for index, half in enumerate(analysis.errors.halves)
    }
    found = np.count_nonzero(right & (rows.value >= best))
    assert analysis.cause_counts(judged)[:, TRUE_POSITIVE].sum() == found
    assert np.count_nonzero(analysis.outcomes(judged) == 0) == found
    form = average_map(labels, only, V2)
    gained = sum(judged.costs[error][1].mean() for error in ("duplicate", "background"))
    assert 0 < gained < form["at_5"]["map"] - analysis.metrics["at_5"]["map"]
    assert all(judged.costs[error].mean() > 0 for error in ERRORS)


def test_an_own_match_needs_no_labels(tmp_path: Path) -> None:
    predictions = matches(V2, 1)[1]
    path = tmp_path / "own.html"
    write_report(path, {OWN: next(iter(predictions.values()))}, V2, videos={OWN: ["a%20b.mp4"]})
    summary, columns = content(path)
    assert (summary["metrics"], summary["judged"], summary["videos"]) == (None, None, [["a%20b.mp4"]])
    assert not any(name.startswith("label") for name in columns)
    assert "<b>my" not in path.read_text(encoding="utf-8")
    assert path.stat().st_size < 150_000  # no plotting library, for nothing is plotted


@pytest.mark.parametrize(
    "rows", [HalfPredictions.empty(), HalfPredictions(np.array([3]), np.array([9000.0]), np.array([2.0]))]
)
def test_odd_predictions_are_shown(tmp_path: Path, rows: HalfPredictions) -> None:
    write_report(tmp_path / "odd.html", {OWN: rows}, V2)
    write_report(tmp_path / "odd.html", {OWN: rows}, V2, {OWN: matches(V2, 1)[0][Half("league/season/game 0", 1)]})
    assert len(content(tmp_path / "odd.html")[1]["spot_time"]) == len(rows)


def test_the_floor_leaves_out_the_least_confident_only() -> None:
    confidence = np.linspace(0, 1, 1001)
    assert choose_floor(confidence, 0.2) == 0.01
    assert choose_floor(confidence, 0.005) == 0.005
    floor = choose_floor(confidence, 0.2, most=900)
    assert np.count_nonzero(confidence >= floor) == 900
    assert choose_floor(np.zeros(0), 0.2) == 0.01
    assert MOST * 7 < 4_000_000


def test_published_scores_are_of_the_same_games_and_have_sources() -> None:
    splits = json.loads((ASSETS / "splits" / "soccernet-v2.json").read_text())
    assert find_official_split(V2, splits["test"]) == "test"
    assert find_official_split(V2, splits["test"][1:]) is None
    assert find_official_split(Task("toy", ("a",), "a.json", 2, "tight_map"), ["game"]) is None
    assert published_scores(V2, None) == []
    table = yaml.safe_load((ASSETS / "report" / "published.yaml").read_text())
    for rows in (rows for splits in table.values() for rows in splits.values()):
        assert all(row["source"] and {"tight", "loose", "at_1"} & set(row) for row in rows)


@pytest.mark.parametrize(("threshold", "first"), [(None, 40), (0.05, 9), (0.0, 0), (1.0, 199), (0.9, 179)])
def test_spots_are_shown_from_the_given_threshold_on(tmp_path: Path, threshold: float | None, first: int) -> None:
    rows = HalfPredictions(np.zeros(3, np.int64), np.arange(3.0), np.array([0.05, 0.5, 0.9]))
    write_report(tmp_path / "r.html", {Half("match", 1): rows}, V2, threshold=threshold)
    summary, columns = content(tmp_path / "r.html")
    assert summary["threshold"] == first
    if threshold is not None:
        shown = np.count_nonzero(columns["spot_reached"] > first)
        assert shown == np.count_nonzero(rows.confidence >= threshold)


def test_postprocessing_is_told_in_words() -> None:
    ball = Task.load("ball-2023")
    assert describe_postprocess({"method": "soft_nms", "window": [1.0, 0.5], "threshold": 0.01}, ball) == (
        "soft NMS, windows PASS 1 s, DRIVE 0.5 s, threshold 0.01"
    )
    assert describe_postprocess({}, ball) == ""


def test_links_to_videos(tmp_path: Path) -> None:
    report = tmp_path / "reports" / "report.html"
    assert video_link(tmp_path / "a b" / "Málaga#1.mp4", report).endswith("/a%20b/M%C3%A1laga%231.mp4")
    assert video_link("videos/it's 50%.mp4", "reports/report.html") == "../videos/it%27s%2050%25.mp4"


def test_a_report_names_the_team(tmp_path: Path) -> None:
    task, half = Task.load("ball-2025"), Half("game", 1)
    labels = Spots(np.array([0, 1]), np.array([1.0, 9.0]), np.ones(2, bool), np.array(["right", "left"]))
    rows = HalfPredictions(np.array([0, 0]), np.array([1.0, 5.0]), np.array([0.9, 0.8]), np.array([1, -1]))
    write_report(tmp_path / "r.html", {half: rows}, task, {half: labels})
    summary, columns = content(tmp_path / "r.html")
    assert summary["teams"] == ["left", "right"]
    assert summary["monitor"] == ["at_1", "_team_present"], "ten actions have no labels"
    assert columns["spot_team"].tolist() == [2, 0]
    assert columns["label_team"].tolist() == [2, 1]
