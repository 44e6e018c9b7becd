"""The table of docs/benchmarks.md has the rows that are measured; the figures are those of the last make bench."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.benchmarks.pairs import Pairs
from tests.benchmarks.rows import ROWS, Row
from tests.benchmarks.table import BEGIN, END, HEAD, lines_of, write
from tests.conftest import PROJECT


def test_the_table_has_the_rows_of_the_benchmarks() -> None:
    cells = [line.strip("| ").split(" | ") for line in lines_of(PROJECT / "docs" / "benchmarks.md")]
    assert [(each[0], each[2]) for each in cells] == [(row.what, row.against) for row in ROWS.values()]


def test_every_row_is_measured() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "tests" / "benchmarks").glob("test_*.py"))
    assert [key for key in ROWS if f'"{key}"' not in text] == []


def test_what_was_measured_replaces_its_row_alone(tmp_path: Path) -> None:
    page, (first, second) = tmp_path / "page.md", list(ROWS)[:2]
    page.write_text(f"above\n{BEGIN}{END}below\n", encoding="utf-8")
    write(page, {second: Pairs([1.0, 3.0], [1.0, 1.0])})
    write(page, {first: Pairs([2.0], [1.0])})
    lines = lines_of(page)
    assert [line.split(" | ")[1] for line in lines] == ["2 (2…2)", "2 (1…3)"]
    assert page.read_text(encoding="utf-8") == f"above\n{BEGIN}{HEAD}{lines[0]}\n{lines[1]}\n{END}below\n"


def test_one_bad_pair_is_no_regression() -> None:
    row = Row("ours", "theirs", at_most=1.0)
    assert not row.regressed(np.array([0.9, 0.9, 5.0, 0.9]))
    assert row.regressed(np.array([1.1, 1.2, 0.9, 1.3, 1.2]))
