"""Whole runs of the commands leave what they left before: scores, predictions, files; see ``golden/record.py``."""

from __future__ import annotations

import json

import pytest

from tests.golden.compared import compare, machine
from tests.golden.record import CASES, EXPECTED, Golden


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Golden:
    """Return the folder of all runs."""
    return Golden(tmp_path_factory.mktemp("golden"))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_as_before(golden: Golden, case: str) -> None:
    """The same numbers, predictions and files."""
    expected = json.loads(EXPECTED.read_text("utf-8"))
    found = golden.observe(case)
    told = compare(expected["cases"][case], found, expected["machine"] == machine())
    assert not told, f"{case}: {len(told)} differences\n" + "\n".join(told[:20])
