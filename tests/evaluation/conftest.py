"""What tests of reports share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.reports import Page, chromium


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """Return a page of a real browser."""
    with chromium() as page:
        yield page
