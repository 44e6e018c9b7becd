"""The table of ratios in docs/benchmarks.md, between two markers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tests.benchmarks.pairs import Pairs
from tests.benchmarks.rows import ROWS, Row

BEGIN, END = "<!-- ratios: written by make bench -->\n", "<!-- end of ratios -->\n"
HEAD = "| what | ours / theirs: median (range) | against | pairs | at most | ours |\n|---|---|---|---:|---:|---:|\n"


def show(row: Row, pairs: Pairs) -> str:
    """Return a line of the table."""
    ratios = pairs.ratios
    spread = f"{np.median(ratios):.3g} ({ratios.min():.3g}…{ratios.max():.3g})"
    limit = "–" if row.at_most is None else f"{row.at_most:.3g}"
    cells = row.what, spread, row.against, len(ratios), limit, f"{np.median(pairs.ours):.3g} {row.unit}"
    return f"| {' | '.join(map(str, cells))} |"


def lines_of(page: Path) -> list[str]:
    """Return the lines of the page's table, without its head."""
    return _inside(page.read_text(encoding="utf-8")).removeprefix(HEAD).splitlines()


def write(page: Path, measured: dict[str, Pairs]) -> None:
    """Write what was measured into the page; rows that were not stay as they are, those that are no more go."""
    found = {line.split(" | ")[0]: line for line in lines_of(page)}
    found |= {f"| {ROWS[key].what}": show(ROWS[key], pairs) for key, pairs in measured.items()}
    lines = [found[f"| {row.what}"] for row in ROWS.values() if f"| {row.what}" in found]
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace(_inside(text), HEAD + "".join(f"{line}\n" for line in lines)), encoding="utf-8")


def _inside(text: str) -> str:
    found = re.search(f"{re.escape(BEGIN)}(.*){re.escape(END)}", text, re.DOTALL)
    assert found, f"the page lacks {BEGIN}"
    return found[1]
