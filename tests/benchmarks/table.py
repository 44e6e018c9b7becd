"""The table of ratios in docs/benchmarks.md, between two markers."""

from __future__ import annotations

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
    return _split(page)[1].removeprefix(HEAD).splitlines()


def write(page: Path, measured: dict[str, Pairs]) -> None:
    """Write what was measured into the page; rows that were not stay as they are, those that are no more go."""
    above, _, below = _split(page)
    found = {line.split(" | ")[0]: line for line in lines_of(page)}
    found |= {f"| {ROWS[key].what}": show(ROWS[key], pairs) for key, pairs in measured.items()}
    lines = [f"{found[name]}\n" for row in ROWS.values() if (name := f"| {row.what}") in found]
    page.write_text("".join([above, BEGIN, HEAD, *lines, END, below]), encoding="utf-8")


def _split(page: Path) -> tuple[str, str, str]:
    """Return what stands above, between and below the markers."""
    above, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    inside, end, below = rest.partition(END)
    assert end, f"{page} lacks {BEGIN}or {END}"
    return above, inside, below
