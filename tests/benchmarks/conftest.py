"""What benchmarks share: each gives its pairs to the table, which fails where a regression is real."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.benchmarks.pairs import Pairs
from tests.benchmarks.rows import ROWS
from tests.benchmarks.table import show, write

torch.set_num_threads(1)

Note = Callable[[str, Pairs], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let make bench name the page."""
    parser.addoption("--table", type=Path, help="page whose table takes what is measured")


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> Iterator[dict[str, Pairs]]:
    """Collect the pairs of all rows, and write them when all is done."""
    found: dict[str, Pairs] = {}
    yield found
    if page := pytestconfig.getoption("table"):
        write(page, found)


@pytest.fixture
def note(measured: dict[str, Pairs]) -> Note:
    """Return a function that takes the pairs of a row and fails where its limit is passed."""

    def take(key: str, pairs: Pairs) -> None:
        measured[key], row = pairs, ROWS[key]
        sys.stdout.write(f"\n{show(row, pairs)}")
        assert not row.regressed(pairs.ratios), f"{row.what}: most of {pairs.ratios.round(3)} lie above {row.at_most}"

    return take
