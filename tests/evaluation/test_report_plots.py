"""Figures for papers: every figure in every format, the same bytes each time, a clear line without matplotlib."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spotter.errors import UserError
from spotter.evaluation.report import plots
from spotter.evaluation.report.analysis import analyse
from spotter.evaluation.report.figures import FIGURES
from spotter.evaluation.report.plots import FORMATS, write_plots
from tests.helpers.reports import V2, matches

MAGIC = {"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}


@pytest.mark.slow
def test_every_figure_in_every_format(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    analysis = analyse(*matches(V2, 1), V2)
    written = write_plots(tmp_path / "plots", {"ours": analysis})
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == sorted(path.name for path in written)
    assert {path.name for path in written} == {f"{name}.{kind}" for name in FIGURES for kind in FORMATS}
    assert all(path.read_bytes().startswith(MAGIC[path.suffix[1:]]) for path in written)


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    monkeypatch.setattr(plots, "FIGURES", {"costs": FIGURES["costs"]})
    analysis = analyse(*matches(V2, 1), V2)
    one, other = ([path.read_bytes() for path in write_plots(tmp_path / name, {"ours": analysis})] for name in "ab")
    assert one == other


def test_several_systems_share_each_figure(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    systems = {name: analyse(*matches(V2, seed), V2) for name, seed in (("ours", 1), ("theirs", 2))}
    written = write_plots(tmp_path, systems)
    assert {path.name for path in written} == {f"{name}.{kind}" for name in FIGURES for kind in FORMATS}
    for path in (path for path in written if path.suffix == ".svg"):
        text = path.read_text("utf-8")
        assert "ours" in text
        assert "theirs" in text


def test_without_matplotlib_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match="pip install matplotlib"):
        write_plots(tmp_path, {"ours": analyse(*matches(V2, 1), V2)})
